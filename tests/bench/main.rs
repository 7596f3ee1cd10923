//! `cargo xtask bench`: what podstamp costs, side by side in one run.
//!
//! Machines are noisy: every figure is the median of interleaved samples, and ratios within one row say more than any
//! figure alone. [`parts`] has what can be measured; parts that fetch other programs, write much or take long run only where they are
//! asked for. Results add up in `target/bench.json`, or `--json FILE`; `--quick` takes fewer samples. `--document` puts the tables of
//! such a file into docs/performance.md. `--against` runs another revision's benchmark and this one in turns.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that fails may stop"
)]
#![allow(clippy::print_stdout, reason = "the table is the product")]

mod against;
mod arguments;
mod awake;
mod batch;
mod codec;
mod coding;
mod collector;
mod console;
mod document;
mod envoy;
mod grpc;
mod host;
mod kubernetes;
mod load;
mod lone_loop;
mod open_loop;
mod oracle;
mod parts;
mod pods;
mod process;
mod queue;
mod results;
mod sample;
mod served;
mod shapes;
mod start;
mod under_load;

use std::process::ExitCode;

use arguments::Arguments;
use results::Results;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(awake::SPIN) => {
            awake::spin();
            return ExitCode::SUCCESS;
        }
        Some("--upstream" | "--agent" | "--serve") => {
            host::child(&words);
            return ExitCode::SUCCESS;
        }
        Some("--cluster") => {
            kubernetes::cluster::child(&words);
            return ExitCode::SUCCESS;
        }
        _ => (),
    }
    let arguments = match Arguments::read(&words) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprintln!("bench: {fault}");
            return ExitCode::from(EX_USAGE);
        }
    };
    if arguments.document {
        return document::fill(&Results::read(&arguments.json));
    }
    if let Some(against) = &arguments.against {
        return against::run(&arguments, against);
    }
    measure(&arguments)
}

fn measure(arguments: &Arguments) -> ExitCode {
    let mut results = Results::read(&arguments.json);
    let mut is_sound = true;
    for part in parts::chosen(&arguments.parts) {
        let measured = (part.run)(arguments.quick);
        is_sound &= measured.sound;
        results.put(part.name, measured.figures, arguments.quick);
        // What was measured so far stays where a later part fails.
        results.write(&arguments.json);
    }
    println!("\nresults also in {}", arguments.json.display());
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The command line was used wrongly, from `sysexits.h`.
const EX_USAGE: u8 = 64;
