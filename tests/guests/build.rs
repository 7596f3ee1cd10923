//! Builds the guests.

use std::process::ExitCode;

use podstamp_guest_build::artifact::{Form, Guest, export};

fn main() -> ExitCode {
    let guest = |package, form| Guest { package, features: &[], form };
    let module = guest("podstamp-proxy-wasm", Form::Module);
    let otelwasm = guest("podstamp-otelwasm", Form::Module);
    let identity = guest("podstamp-identity", Form::Module);
    for (guest, variable) in [
        (module, "PODSTAMP_PROXY_WASM"),
        (Guest { features: &["trap"], ..module }, "PODSTAMP_TRAPPING"),
        (guest("podstamp-module", Form::Module), "PODSTAMP_MODULE"),
        (guest("podstamp-wasi-http", Form::Component), "PODSTAMP_WASI_HTTP"),
        (guest("podstamp-bento", Form::Module), "PODSTAMP_BENTO"),
        (otelwasm, "PODSTAMP_OTELWASM"),
        (Guest { features: &["pull"], ..otelwasm }, "PODSTAMP_OTELWASM_PULL"),
        (identity, "PODSTAMP_IDENTITY"),
        (Guest { features: &["calls"], ..identity }, "PODSTAMP_CALLS"),
        (guest("podstamp-faulty", Form::Component), "PODSTAMP_FAULTY"),
    ] {
        let built = export(guest, variable);
        if built != ExitCode::SUCCESS {
            return built;
        }
    }
    ExitCode::SUCCESS
}
