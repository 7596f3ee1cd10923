//! A component, compiled: what instances are made from.

use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::bindings::{PodstampPre, podstamp};
use super::compilation;
use super::state::State;
use super::ticker::Ticker;
use super::{Error, Settings};

/// A compiled component of the world `podstamp:filter/podstamp`, and the limits that its instances live within. Cheap to
/// clone.
#[derive(Clone)]
pub struct Guest {
    pub(super) pre: PodstampPre<State>,
    pub(super) settings: Settings,
    /// Whether calls are counted in fuel.
    pub(super) metered: bool,
    pub(super) ticker: Arc<Ticker>,
}

impl Guest {
    /// The filter that podstamp carries, as code that was compiled when podstamp was: takes some milliseconds.
    pub fn embedded(settings: Settings) -> Result<Self, Error> {
        Self::load(&engine_config(settings), settings)
    }

    fn load(config: &Config, settings: Settings) -> Result<Self, Error> {
        let engine = Engine::new(config).map_err(Error::Engine)?;
        let code = zstd::stream::decode_all(CODE).map_err(wasmtime::Error::new).map_err(Error::Embedded)?;
        // SAFETY: wasmtime made the code, the build script put it there, and nothing has changed it since.
        #[expect(unsafe_code, reason = "code that podstamp carries is as good as its own")]
        let component = unsafe { Component::deserialize(&engine, code) };
        Self::linked(&engine, &component.map_err(Error::Embedded)?, settings, false)
    }

    /// Makes a guest of what was compiled.
    fn linked(
        engine: &Engine,
        component: &Component,
        settings: Settings,
        metered: bool,
    ) -> Result<Self, Error> {
        let mut linker = Linker::new(engine);
        podstamp::filter::pods::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)
            .map_err(Error::Component)?;
        let pre = linker.instantiate_pre(component).and_then(PodstampPre::new).map_err(Error::Component)?;
        let ticker = Arc::new(Ticker::start(engine, settings.timeout));
        Ok(Self { pre, settings, metered, ticker })
    }
}

/// Guests that are compiled while the program runs.
#[cfg(feature = "compiler")]
impl Guest {
    /// Compiles a component; takes some tenths of a second.
    pub fn compile(component: &[u8], settings: Settings) -> Result<Self, Error> {
        Self::compile_with(component, settings, false)
    }

    /// Compiles a component whose calls are counted in fuel: [`Sandbox::fuel`](super::Sandbox::fuel). Calls are slower for it.
    pub fn compile_metered(component: &[u8], settings: Settings) -> Result<Self, Error> {
        Self::compile_with(component, settings, true)
    }

    /// The component that podstamp carries the code of.
    pub fn embedded_component() -> &'static [u8] {
        include_bytes!(env!("PODSTAMP_COMPONENT"))
    }

    fn compile_with(component: &[u8], settings: Settings, metered: bool) -> Result<Self, Error> {
        let mut config = engine_config(settings);
        config.consume_fuel(metered);
        let engine = Engine::new(&config).map_err(Error::Engine)?;
        let component = compile(&engine, component).map_err(Error::Component)?;
        Self::linked(&engine, &component, settings, metered)
    }
}

/// Compiles in a thread of its own: the compiler takes a hundred MiB, and a thread that ends gives back all of its memory.
#[cfg(feature = "compiler")]
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
        // For configuring, and as much again for calls.
        .max_memory_size(settings.memory.saturating_mul(2));
    let mut config = compilation::config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    config
}

/// What the build script made of the filter.
const CODE: &[u8] = include_bytes!(env!("PODSTAMP_FILTER"));

/// Core instances in the component: the module, and the shims that `wit-component` adds for imports that take lists.
const CORE_INSTANCES: u32 = 4;

#[cfg(test)]
mod tests {
    use wasmtime::component::types::ComponentItem;

    use super::*;

    #[test]
    fn the_component_imports_the_pod_directory_and_nothing_else_and_exports_the_filter() {
        let engine = Engine::new(Config::new().wasm_component_model(true)).unwrap();
        let component = Component::new(&engine, Guest::embedded_component()).unwrap();
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
        assert_eq!(functions, ["find", "unchanged"].map(|name| format!("podstamp:filter/pods@0.1.0.{name}")));
        let exports: Vec<_> = ty.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        assert_eq!(exports, ["podstamp:filter/filter@0.1.0"]);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_processor_that_lacks_what_the_code_takes_is_told() {
        let settings = Settings {
            memory: 16 << 20,
            timeout: std::time::Duration::from_secs(1),
            instances: 1,
            body: 1 << 20,
        };
        let mut config = engine_config(settings);
        // SAFETY: it claims less than there is.
        #[expect(unsafe_code, reason = "one that claims more than there is would be wrong")]
        unsafe {
            config.detect_host_feature(|feature| Some(feature != "sse4.2"))
        };
        let Err(error) = Guest::load(&config, settings) else { panic!("the code is taken") };
        let told = error.to_string();
        assert!(told.contains("has_sse42") && told.contains("-cpu host"), "{told}");
    }
}
