//! Builds the guests: the filter, which the host carries inside, and for the end-to-end tests the filter as a proxy-wasm
//! module and the one that misbehaves. `env!("PODSTAMP_COMPONENT")`, `env!("PODSTAMP_PROXY_WASM")` and
//! `env!("PODSTAMP_FAULTY")` are their paths.

use std::process::ExitCode;

use podstamp_guest_build::artifact::{Form, export};

fn main() -> ExitCode {
    for (package, form, variable) in [
        ("podstamp-component", Form::Component, "PODSTAMP_COMPONENT"),
        ("podstamp-proxy-wasm", Form::Module, "PODSTAMP_PROXY_WASM"),
        ("podstamp-faulty", Form::Component, "PODSTAMP_FAULTY"),
    ] {
        let built = export(package, form, variable);
        if built != ExitCode::SUCCESS {
            return built;
        }
    }
    ExitCode::SUCCESS
}
