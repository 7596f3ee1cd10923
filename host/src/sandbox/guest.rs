//! A component, compiled: what instances are made from.

use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::bindings::{PodstampPre, podstamp};
use super::limits::Ticker;
use super::state::State;
use super::{Error, Settings};

/// A compiled component of the world `podstamp:filter/podstamp`, and the limits that its instances live within. Cheap to
/// clone.
#[derive(Clone)]
pub struct Guest {
    pub(super) pre: PodstampPre<State>,
    pub(super) settings: Settings,
    /// Whether calls are counted in fuel.
    pub(super) metered: bool,
    _ticker: Arc<Ticker>,
}

impl Guest {
    /// Compiles a component; takes some tenths of a second.
    pub fn compile(component: &[u8], settings: Settings) -> Result<Self, Error> {
        Self::compile_with(component, settings, false)
    }

    /// Compiles a component whose calls are counted in fuel: [`Sandbox::fuel`](super::Sandbox::fuel). Calls are slower for it.
    pub fn compile_metered(component: &[u8], settings: Settings) -> Result<Self, Error> {
        Self::compile_with(component, settings, true)
    }

    fn compile_with(component: &[u8], settings: Settings, metered: bool) -> Result<Self, Error> {
        let mut config = engine_config(settings);
        config.consume_fuel(metered);
        let engine = Engine::new(&config).map_err(Error::Engine)?;
        let component = compile(&engine, component).map_err(Error::Component)?;
        let mut linker = Linker::new(&engine);
        podstamp::filter::pods::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)
            .map_err(Error::Component)?;
        let pre = linker.instantiate_pre(&component).and_then(PodstampPre::new).map_err(Error::Component)?;
        Ok(Self { pre, settings, metered, _ticker: Arc::new(Ticker::start(&engine)) })
    }

    /// The component that is compiled into podstamp.
    pub fn embedded() -> &'static [u8] {
        include_bytes!(env!("PODSTAMP_COMPONENT"))
    }
}

/// Compiles in a thread of its own: the compiler takes a hundred MiB, and a thread that ends gives back all of its memory.
fn compile(engine: &Engine, component: &[u8]) -> wasmtime::Result<Component> {
    std::thread::scope(|scope| {
        let compiler = scope.spawn(|| Component::new(engine, component));
        compiler.join().unwrap_or_else(|_| Err(wasmtime::Error::msg("the compiler panicked")))
    })
}

fn engine_config(settings: Settings) -> Config {
    let mut pooling = PoolingAllocationConfig::default();
    let slots = u32::try_from(settings.instances).unwrap_or(u32::MAX);
    pooling
        .total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .total_memories(slots)
        .total_tables(slots.saturating_mul(CORE_INSTANCES))
        .max_memory_size(settings.memory);
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Off, a synchronous call costs a quarter: the guest has nothing to wait for.
        .concurrency_support(false)
        .parallel_compilation(false)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    config
}

/// Core instances in the component: the module, and the shims that `wit-component` adds for imports that take lists.
const CORE_INSTANCES: u32 = 4;

#[cfg(test)]
mod tests {
    use wasmtime::component::types::ComponentItem;

    use super::*;

    #[test]
    fn the_component_imports_the_pod_directory_and_nothing_else_and_exports_the_filter() {
        let engine = Engine::new(Config::new().wasm_component_model(true)).unwrap();
        let component = Component::new(&engine, Guest::embedded()).unwrap();
        let ty = component.component_type();
        let mut functions = Vec::new();
        for (name, item) in ty.imports(&engine) {
            let ComponentItem::ComponentInstance(instance) = item.ty else {
                panic!("{name} is no interface");
            };
            let items = instance.exports(&engine);
            let items = items.filter(|(_, item)| !matches!(item.ty, ComponentItem::Type(_)));
            functions.extend(items.map(|(function, _)| format!("{name}.{function}")));
        }
        assert_eq!(functions, ["podstamp:filter/pods@0.1.0.find"]);
        let exports: Vec<_> = ty.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        assert_eq!(exports, ["podstamp:filter/filter@0.1.0"]);
    }
}
