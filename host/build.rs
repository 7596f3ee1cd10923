//! Builds the filter as a component, which the host carries inside: `env!("PODSTAMP_COMPONENT")` is its path.

fn main() -> std::process::ExitCode {
    podstamp_guest_build::artifact::export_component("podstamp-component", "PODSTAMP_COMPONENT")
}
