//! The module without imports, run by wasmtime's core API as `docs/abi.md` says.

use std::sync::{Mutex, OnceLock};

use bytes::Bytes;
use podstamp::pods::Table;
use podstamp::sandbox::{self, Ended, Failure, FilterRunner, ReceivedRequest};
use podstamp_core::config::Fault;
use podstamp_core::directory::Fields;
use podstamp_core::interface::{Attempt, Next, Prepared, Request, Signal};
use podstamp_pods::listing;
use podstamp_records::{
    BodyFault, DiagnoseArguments, PodsState, Record, Settings, write_attempt, write_request,
};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

/// An instance of the module.
pub(crate) struct ModuleInstance(Mutex<Calls>);

struct Calls {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    allocate: TypedFunc<u32, u32>,
    free: TypedFunc<(u32, u32), ()>,
}

/// A filter that runs in the module.
pub(crate) struct InModule {
    instance: ModuleInstance,
    settings: Settings,
}

fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let module = Module::from_file(&Engine::default(), podstamp_test_guests::MODULE).unwrap();
        assert_eq!(module.imports().count(), 0, "the module asks for nothing");
        module
    })
}

impl ModuleInstance {
    /// A new one, which is not configured yet.
    pub(crate) fn new() -> Self {
        let module = module();
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let abi = instance.get_typed_func::<(), u32>(&mut store, "podstamp_abi").unwrap();
        assert_eq!(abi.call(&mut store, ()).unwrap(), 1);
        let allocate = instance.get_typed_func(&mut store, "podstamp_allocate").unwrap();
        let free = instance.get_typed_func(&mut store, "podstamp_free").unwrap();
        Self(Mutex::new(Calls { store, instance, memory, allocate, free }))
    }

    /// Calls an export with an argument; the error is a trap.
    pub(crate) fn call(&self, export: &str, argument: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let mut calls = self.0.lock().unwrap();
        let Calls { store, instance, memory, allocate, free } = &mut *calls;
        let function = instance.get_typed_func::<(u32, u32), u64>(&mut *store, export).unwrap();
        let length = u32::try_from(argument.len()).unwrap();
        let pointer = match length {
            0 => 0,
            length => allocate.call(&mut *store, length)?,
        };
        memory.write(&mut *store, pointer as usize, argument).unwrap();
        let place = function.call(&mut *store, (pointer, length))?;
        let (pointer, length) = ((place >> 32) as u32, place as u32);
        let mut result = vec![0; length as usize];
        memory.read(&*store, pointer as usize, &mut result).unwrap();
        free.call(&mut *store, (pointer, length))?;
        Ok(result)
    }

    /// Calls an export whose result is of one type.
    pub(crate) fn ask<T: Record>(&self, export: &str, argument: &[u8]) -> wasmtime::Result<T> {
        Ok(T::from_bytes(&self.call(export, argument)?).unwrap())
    }

    /// Bytes of the memory.
    pub(crate) fn memory(&self) -> usize {
        let calls = self.0.lock().unwrap();
        calls.memory.data_size(&calls.store)
    }
}

impl InModule {
    /// A filter with a configuration and all that a table has.
    pub(crate) fn new(document: &str, pods: &Table) -> Self {
        let instance = ModuleInstance::new();
        let settings =
            instance.ask::<Result<Settings, Vec<Fault>>>("podstamp_configure", document.as_bytes());
        let settings = settings.unwrap().unwrap_or_else(|faults| panic!("{faults:#?}"));
        let text = listing::write_full(pods, Fields::ALL);
        let state = instance.ask::<Result<PodsState, String>>("podstamp_pods", text.as_bytes());
        let expected = PodsState { pods: pods.len() as u32, version: pods.version().to_string() };
        assert_eq!(state.unwrap(), Ok(expected));
        Self { instance, settings }
    }

    fn call<T: Record>(&self, export: &str, argument: &[u8]) -> Result<T, Failure> {
        self.instance.ask(export, argument).map_err(|trap| Failure::Trap(trap.to_string()))
    }
}

impl FilterRunner for InModule {
    fn request_headers(&self) -> &[String] {
        &self.settings.request_headers
    }

    fn prepare(&self, request: &ReceivedRequest) -> Result<Prepared, Failure> {
        let ReceivedRequest { signal, path, peer, headers, body, now, .. } = request;
        let mut argument = Vec::new();
        let request = Request { signal: *signal, path, peer: *peer, headers, body, now: *now };
        write_request(&request, &mut argument);
        self.call("podstamp_prepare", &argument)
    }

    fn conclude(&self, attempt: Attempt, ended: &Ended) -> Result<Next, Failure> {
        let mut argument = Vec::new();
        write_attempt(&attempt, &super::outcome(ended), &mut argument);
        self.call("podstamp_conclude", &argument)
    }

    fn diagnose(&self, signal: Signal, body: &Bytes) -> Result<Option<sandbox::BodyFault>, Failure> {
        let mut argument = Vec::new();
        DiagnoseArguments { signal, body }.write(&mut argument);
        let found: Result<(), BodyFault> = self.call("podstamp_diagnose", &argument)?;
        Ok(found.err().map(|BodyFault { offset, path, message }| sandbox::BodyFault {
            offset,
            path,
            message,
        }))
    }
}
