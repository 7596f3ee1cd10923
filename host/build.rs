//! Builds the filter, which the host carries inside: `env!("PODSTAMP_COMPONENT")` is its path.

use std::process::ExitCode;

use podstamp_guest_build::artifact::{Form, Guest, export};

fn main() -> ExitCode {
    export(
        Guest { package: "podstamp-component", features: &[], form: Form::Component },
        "PODSTAMP_COMPONENT",
    )
}
