//! Builds the guests: the filter, which the host carries inside, and for the end-to-end tests the filter as a proxy-wasm
//! module, one that traps, and one that misbehaves. `env!("PODSTAMP_COMPONENT")`, `env!("PODSTAMP_PROXY_WASM")`,
//! `env!("PODSTAMP_TRAPPING")` and `env!("PODSTAMP_FAULTY")` are their paths.

use std::process::ExitCode;

use podstamp_guest_build::artifact::{Form, Guest, export};

fn main() -> ExitCode {
    let guest = |package, form| Guest { package, features: &[], form };
    let module = guest("podstamp-proxy-wasm", Form::Module);
    for (guest, variable) in [
        (guest("podstamp-component", Form::Component), "PODSTAMP_COMPONENT"),
        (module, "PODSTAMP_PROXY_WASM"),
        (Guest { features: &["trap"], ..module }, "PODSTAMP_TRAPPING"),
        (guest("podstamp-faulty", Form::Component), "PODSTAMP_FAULTY"),
    ] {
        let built = export(guest, variable);
        if built != ExitCode::SUCCESS {
            return built;
        }
    }
    ExitCode::SUCCESS
}
