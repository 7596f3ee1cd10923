//! podstamp's filter as a WebAssembly module without imports. `docs/abi.md` describes its exports.

mod buffer;

use std::cell::RefCell;

use podstamp_core::config::Fault;
use podstamp_core::diagnose_as;
use podstamp_embedded::Embedded;
use podstamp_records::{
    BodyFault, ConcludeArguments, DiagnoseArguments, Malformed, PodsState, Record, RequestArguments, Settings,
};

use buffer::Place;

thread_local! {
    static FILTER: RefCell<Option<Embedded>> = const { RefCell::new(None) };
}

fn configure(text: &[u8]) -> Result<Settings, Vec<Fault>> {
    let fault = |message: &str| vec![Fault { path: String::new(), message: message.to_owned() }];
    let text = std::str::from_utf8(text).map_err(|_| fault("it is not UTF-8"))?;
    FILTER.with_borrow_mut(|filter| {
        if filter.is_some() {
            return Err(fault("configured already"));
        }
        let embedded = filter.insert(Embedded::configure(text)?);
        Ok(Settings {
            request_headers: embedded.filter().request_headers().to_vec(),
            notices: embedded.filter().notices().to_vec(),
            pods_path: embedded.pods_path(),
        })
    })
}

fn read_pods(text: Vec<u8>) -> Result<PodsState, String> {
    with_filter(|filter| {
        let table = filter.read_pods(text).map_err(|error| error.to_string())?;
        let pods = u32::try_from(table.len()).unwrap_or(u32::MAX);
        Ok(PodsState { pods, version: table.version().to_string() })
    })
}

fn prepare(argument: &[u8]) -> Vec<u8> {
    let arguments = required(RequestArguments::read(argument));
    with_filter(|filter| {
        let prepared = filter.prepare(&arguments.request());
        filter.index();
        prepared.to_bytes()
    })
}

fn conclude(argument: &[u8]) -> Vec<u8> {
    let arguments = required(ConcludeArguments::read(argument));
    with_filter(|filter| filter.filter().conclude(&arguments.attempt, &arguments.outcome()).to_bytes())
}

fn diagnose(argument: &[u8]) -> Result<(), BodyFault> {
    let DiagnoseArguments { signal, body } = required(DiagnoseArguments::read(argument));
    diagnose_as(signal, body).map_err(|fault| BodyFault {
        offset: u32::try_from(fault.offset).unwrap_or(u32::MAX),
        path: fault.path,
        message: fault.kind.to_string(),
    })
}

/// Calls with the filter. `podstamp_configure` comes before all else by contract; a host that breaks it gets a trap.
fn with_filter<T>(call: impl FnOnce(&mut Embedded) -> T) -> T {
    FILTER.with_borrow_mut(|filter| match filter {
        Some(filter) => call(filter),
        None => std::process::abort(),
    })
}

/// An argument. One that is not what `docs/abi.md` says is the host's fault, which gets a trap.
fn required<T>(argument: Result<T, Malformed>) -> T {
    argument.unwrap_or_else(|_| std::process::abort())
}

/// The exports. Each takes a buffer of which it becomes the owner, and gives one away.
#[expect(unsafe_code, reason = "the host calls them by their names")]
mod exports {
    use super::buffer::{self, give};
    use super::{Place, Record};

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_abi() -> u32 {
        1
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_allocate(length: usize) -> *mut u8 {
        buffer::allocate(length)
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_free(pointer: *mut u8, length: usize) {
        drop(buffer::take(pointer, length));
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_configure(pointer: *mut u8, length: usize) -> Place {
        give(super::configure(&buffer::take(pointer, length)).to_bytes())
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_pods(pointer: *mut u8, length: usize) -> Place {
        give(super::read_pods(buffer::take(pointer, length)).to_bytes())
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_prepare(pointer: *mut u8, length: usize) -> Place {
        give(super::prepare(&buffer::take(pointer, length)))
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_conclude(pointer: *mut u8, length: usize) -> Place {
        give(super::conclude(&buffer::take(pointer, length)))
    }

    #[unsafe(no_mangle)]
    extern "C" fn podstamp_diagnose(pointer: *mut u8, length: usize) -> Place {
        give(super::diagnose(&buffer::take(pointer, length)).to_bytes())
    }
}
