//! Builds what the benchmark puts into Envoy: the filter as a proxy-wasm module, and one that replaces a body by itself.
//! `env!("PODSTAMP_PROXY_WASM")` and `env!("PODSTAMP_IDENTITY")` are their paths.

use std::process::ExitCode;

use podstamp_guest_build::artifact::{Form, Guest, export};

fn main() -> ExitCode {
    for (package, variable) in
        [("podstamp-proxy-wasm", "PODSTAMP_PROXY_WASM"), ("podstamp-identity", "PODSTAMP_IDENTITY")]
    {
        let built = export(Guest { package, features: &[], form: Form::Module }, variable);
        if built != ExitCode::SUCCESS {
            return built;
        }
    }
    ExitCode::SUCCESS
}
