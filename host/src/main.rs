//! The binary `podstamp`.

mod cli;

use std::process::ExitCode;

/// Bodies are allocated and freed at a high rate, from several threads; this is what that is fast with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
