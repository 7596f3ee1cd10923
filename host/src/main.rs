//! The binary `podstamp`.

mod cli;
mod memory;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
