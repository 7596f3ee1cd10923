//! Builds the guest that misbehaves: `env!("PODSTAMP_FAULTY")` is its path.

fn main() -> std::process::ExitCode {
    podstamp_guest_build::artifact::export_component("podstamp-faulty", "PODSTAMP_FAULTY")
}
