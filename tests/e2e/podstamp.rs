//! The program `podstamp`, for the tests beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    podstamp_cli::run()
}
