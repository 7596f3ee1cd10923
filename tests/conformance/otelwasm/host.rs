//! A host of otelwasm's `wasm` processor that breaks no rule of the ABI, and fails where the guest breaks one.

use wasmtime::{
    Caller, Engine, Extern, ExternType, Func, FuncType, Instance, Memory, Module, Store, Trap, TypedFunc,
    Val, ValType,
};

use podstamp_core::interface::Signal;

/// The ABI that a module is made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Abi {
    /// 0.1.0: the host hands batches over.
    Push,
    /// The main branch's: the guest asks for them.
    Pull,
}

/// What a getter says where the guest's buffer is too small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TooSmall {
    /// As the hosts that there are.
    Zero,
    /// As the text of 0.1.0 has it.
    Size,
}

/// How a call ended.
#[derive(Debug, PartialEq)]
pub(super) enum Done {
    /// With this result.
    Result(Vec<u8>),
    /// With a status of failure, and this reason.
    Failed(String),
}

/// An instance, as a Collector has one for each signal of a component.
pub(super) struct Host {
    abi: Abi,
    store: Store<Call>,
    instance: Instance,
    memory: Memory,
}

/// What the guest has said and may ask in the call that is under way.
#[derive(Default)]
struct Call {
    configuration: Vec<u8>,
    too_small_is_size: bool,
    /// The signal and the batch of the call, where it is one for a batch.
    batch: Option<(Signal, Vec<u8>)>,
    results: Vec<(Signal, Vec<u8>)>,
    reasons: Vec<String>,
    asked_for_configuration: usize,
}

impl Abi {
    pub(super) const ALL: [Self; 2] = [Self::Push, Self::Pull];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Push => podstamp_test_guests::OTELWASM,
            Self::Pull => podstamp_test_guests::OTELWASM_PULL,
        }
    }

    /// The exports that a processor has to have, with their numbers of parameters and results.
    pub(super) fn exports(self) -> &'static [(&'static str, usize, usize)] {
        match self {
            Self::Push => &[
                ("otelwasm_abi_version_0_1_0", 0, 0),
                ("otelwasm_memory_allocate", 1, 1),
                ("otelwasm_get_supported_telemetry", 0, 1),
                ("otelwasm_start", 0, 1),
                ("otelwasm_shutdown", 0, 1),
                ("otelwasm_consume_traces", 2, 1),
                ("otelwasm_consume_metrics", 2, 1),
                ("otelwasm_consume_logs", 2, 1),
            ],
            Self::Pull => &[
                ("getSupportedTelemetry", 0, 1),
                ("processTraces", 0, 1),
                ("processMetrics", 0, 1),
                ("processLogs", 0, 1),
            ],
        }
    }

    /// The functions that the host has, each with what it is.
    fn imports(self) -> Vec<(String, Import)> {
        let signals = [(Signal::Traces, "traces"), (Signal::Metrics, "metrics"), (Signal::Logs, "logs")];
        let upper = |name: &str| name[..1].to_uppercase() + &name[1..];
        let mut imports = Vec::new();
        for (signal, name) in signals {
            match self {
                Self::Push => {
                    imports.push((format!("otelwasm_set_result_{name}"), Import::SetResult(signal)))
                }
                Self::Pull => {
                    imports.push((format!("current{}", upper(name)), Import::Current(signal)));
                    imports.push((format!("setResult{}", upper(name)), Import::SetResult(signal)));
                }
            }
        }
        let (configuration, reason, shutdown) = match self {
            Self::Push => (
                "otelwasm_get_plugin_config",
                "otelwasm_set_status_reason",
                "otelwasm_get_shutdown_requested",
            ),
            Self::Pull => ("getPluginConfig", "setResultStatusReason", "getShutdownRequested"),
        };
        imports.extend([
            (configuration.to_owned(), Import::Configuration),
            (reason.to_owned(), Import::SetReason),
            (shutdown.to_owned(), Import::ShutdownRequested),
        ]);
        imports
    }
}

#[derive(Clone, Copy)]
enum Import {
    Current(Signal),
    SetResult(Signal),
    Configuration,
    SetReason,
    ShutdownRequested,
}

impl Host {
    /// Loads the module. It must have all exports, and import nothing that the host does not have.
    pub(super) fn new(module: &Module, abi: Abi, configuration: &str, too_small: TooSmall) -> Self {
        let engine = module.engine();
        for (name, parameters, results) in abi.exports() {
            let Some(ExternType::Func(function)) = module.get_export(name) else {
                panic!("{name} is not there")
            };
            let all_numbers = function.params().chain(function.results()).all(|kind| kind.is_i32());
            assert!(all_numbers, "{name} has other types than i32");
            assert_eq!(
                (function.params().len(), function.results().len()),
                (*parameters, *results),
                "{name}"
            );
        }
        let call = Call {
            configuration: configuration.as_bytes().to_vec(),
            too_small_is_size: too_small == TooSmall::Size,
            ..Call::default()
        };
        let mut store = Store::new(engine, call);
        let known = abi.imports();
        let imports: Vec<Extern> = module
            .imports()
            .map(|import| {
                assert_eq!(import.module(), "opentelemetry.io/wasm", "{}", import.name());
                let found = known.iter().find(|(name, _)| name == import.name());
                let (_, found) = found.unwrap_or_else(|| panic!("the host has no {}", import.name()));
                let function = found.function(&mut store);
                let ExternType::Func(wanted) = import.ty() else {
                    panic!("{} is no function", import.name())
                };
                assert!(wanted.matches(&function.ty(&store)), "{} has another type", import.name());
                Extern::Func(function)
            })
            .collect();
        let instance = Instance::new(&mut store, module, &imports).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self { abi, store, instance, memory }
    }

    /// Which signals the guest supports, a bit each.
    pub(super) fn supported(&mut self) -> u32 {
        let name = match self.abi {
            Abi::Push => "otelwasm_get_supported_telemetry",
            Abi::Pull => "getSupportedTelemetry",
        };
        self.status(name)
    }

    /// Starts the component, which the main branch's ABI does not have.
    pub(super) fn start(&mut self) -> Result<(), String> {
        self.begin(None);
        let status = self.status("otelwasm_start");
        self.end(status, None).map(|_| ())
    }

    pub(super) fn shut_down(&mut self) -> u32 {
        self.status("otelwasm_shutdown")
    }

    /// Has a batch processed, as a Collector with this processor does.
    pub(super) fn consume(&mut self, signal: Signal, batch: &[u8]) -> Result<Done, wasmtime::Error> {
        self.begin(Some((signal, batch.to_vec())));
        let status = match self.abi {
            Abi::Push => self.push(signal, batch)?,
            Abi::Pull => {
                let name = ["processTraces", "processMetrics", "processLogs"][signal as usize];
                let function: TypedFunc<(), u32> =
                    self.instance.get_typed_func(&mut self.store, name).unwrap();
                function.call(&mut self.store, ())?
            }
        };
        Ok(match self.end(status, Some(signal)) {
            Ok(result) => Done::Result(result),
            Err(reason) => Done::Failed(reason),
        })
    }

    fn push(&mut self, signal: Signal, batch: &[u8]) -> Result<u32, wasmtime::Error> {
        let mut place = 0;
        let size = u32::try_from(batch.len()).unwrap();
        if size > 0 {
            let allocate: TypedFunc<u32, u32> =
                self.instance.get_typed_func(&mut self.store, "otelwasm_memory_allocate").unwrap();
            place = allocate.call(&mut self.store, size)?;
            assert_ne!(place, 0, "no room for {size} bytes");
            self.memory.write(&mut self.store, place as usize, batch).expect("the room is within the memory");
        }
        let name = format!("otelwasm_consume_{}", signal.name());
        let consume: TypedFunc<(u32, u32), u32> =
            self.instance.get_typed_func(&mut self.store, &name).unwrap();
        consume.call(&mut self.store, (place, size))
    }

    /// Room for a batch that never comes; 0: there is none.
    pub(super) fn allocate(&mut self, size: u32) -> u32 {
        let allocate: TypedFunc<u32, u32> =
            self.instance.get_typed_func(&mut self.store, "otelwasm_memory_allocate").unwrap();
        allocate.call(&mut self.store, size).unwrap()
    }

    /// Bytes of the guest's memory.
    pub(super) fn memory(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// How often the guest has asked for its configuration so far.
    pub(super) fn asked_for_configuration(&self) -> usize {
        self.store.data().asked_for_configuration
    }

    fn begin(&mut self, batch: Option<(Signal, Vec<u8>)>) {
        let call = self.store.data_mut();
        (call.batch, call.results, call.reasons) = (batch, Vec::new(), Vec::new());
    }

    /// Holds what the guest has said against the status: exactly one result and no reason, or a reason and no result.
    fn end(&mut self, status: u32, signal: Option<Signal>) -> Result<Vec<u8>, String> {
        let call = self.store.data_mut();
        let (mut results, mut reasons) =
            (std::mem::take(&mut call.results), std::mem::take(&mut call.reasons));
        call.batch = None;
        match status {
            0 => {
                assert_eq!(reasons, Vec::<String>::new(), "a reason for a success");
                assert_eq!(results.len(), usize::from(signal.is_some()), "one result of each batch");
                let Some(signal) = signal else { return Ok(Vec::new()) };
                let (of, result) = results.remove(0);
                assert_eq!(of, signal, "a result of another signal");
                Ok(result)
            }
            1 => {
                assert!(results.is_empty(), "a result, and a failure");
                assert_eq!(reasons.len(), 1, "one reason");
                let reason = reasons.remove(0);
                assert!(!reason.is_empty());
                Err(reason)
            }
            other => panic!("there is no status {other}"),
        }
    }

    fn status(&mut self, name: &str) -> u32 {
        let function: TypedFunc<(), u32> = self.instance.get_typed_func(&mut self.store, name).unwrap();
        function.call(&mut self.store, ()).unwrap()
    }
}

impl Import {
    fn function(self, store: &mut Store<Call>) -> Func {
        let (parameters, results) = match self {
            Self::Current(_) | Self::Configuration => (2, 1),
            Self::SetResult(_) | Self::SetReason => (2, 0),
            Self::ShutdownRequested => (0, 1),
        };
        let numbers = |count| std::iter::repeat_n(ValType::I32, count);
        let kind = FuncType::new(store.engine(), numbers(parameters), numbers(results));
        Func::new(store, kind, move |caller, parameters, results| {
            let place = parameters.first().and_then(Val::i32).unwrap_or_default().cast_unsigned() as usize;
            let size = parameters.get(1).and_then(Val::i32).unwrap_or_default().cast_unsigned() as usize;
            let said = self.run(caller, place, size)?;
            if let (Some(result), Some(said)) = (results.first_mut(), said) {
                *result = Val::I32(said.cast_signed());
            }
            Ok(())
        })
    }

    /// What the host does. A place that is not within the memory ends the guest, as it ends hosts.
    fn run(
        self,
        mut caller: Caller<'_, Call>,
        place: usize,
        size: usize,
    ) -> Result<Option<u32>, wasmtime::Error> {
        let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
        let (bytes, call) = memory.data_and_store_mut(&mut caller);
        let end = place.checked_add(size).filter(|end| *end <= bytes.len()).ok_or(Trap::MemoryOutOfBounds)?;
        let buffer = &mut bytes[place..end];
        let given = match self {
            Self::ShutdownRequested => return Ok(Some(0)),
            Self::SetReason => {
                call.reasons.push(String::from_utf8(buffer.to_vec()).expect("a reason is UTF-8"));
                return Ok(None);
            }
            Self::SetResult(signal) => {
                assert!(call.batch.is_some(), "a result outside the call for a batch");
                call.results.push((signal, buffer.to_vec()));
                return Ok(None);
            }
            Self::Configuration => {
                call.asked_for_configuration += 1;
                &call.configuration
            }
            Self::Current(signal) => {
                let (of, batch) = call.batch.as_ref().expect("asked for a batch where there is none");
                assert_eq!(*of, signal, "asked for a batch of another signal");
                batch
            }
        };
        if given.len() > size {
            let length = u32::try_from(given.len()).unwrap();
            return Ok(Some(if call.too_small_is_size { length } else { 0 }));
        }
        buffer[..given.len()].copy_from_slice(given);
        Ok(Some(u32::try_from(given.len()).unwrap()))
    }
}

/// Compiles the module for an ABI.
pub(super) fn module(abi: Abi) -> Module {
    Module::new(&Engine::default(), std::fs::read(abi.path()).unwrap()).unwrap()
}
