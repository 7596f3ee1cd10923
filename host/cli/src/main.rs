//! The binary `podstamp`.

use std::process::ExitCode;

fn main() -> ExitCode {
    podstamp_cli::run()
}
