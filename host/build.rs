//! Builds the guests: the filter, which the host carries inside, and the one that misbehaves, for the end-to-end tests.
//! `env!("PODSTAMP_COMPONENT")` and `env!("PODSTAMP_FAULTY")` are their paths.

use std::process::ExitCode;

use podstamp_guest_build::artifact::export_component;

fn main() -> ExitCode {
    for (package, variable) in
        [("podstamp-component", "PODSTAMP_COMPONENT"), ("podstamp-faulty", "PODSTAMP_FAULTY")]
    {
        let built = export_component(package, variable);
        if built != ExitCode::SUCCESS {
            return built;
        }
    }
    ExitCode::SUCCESS
}
