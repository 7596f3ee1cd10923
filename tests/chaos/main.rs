//! `cargo xtask chaos`: podstamp between clients that count and agents that record, while all of them are disturbed at random.
//!
//! Real processes: the program `podstamp`, and fake agents each in a process of its own. Every span has an id of its own. At
//! the end each span that was acknowledged has to be on record, once where nothing was ambiguous, under the address of its
//! pod, and podstamp has to be back where it was in memory, descriptors and threads. Exit status 1 says that something of this
//! is not so; the seed, the ids and the logs of all processes are named then.
//!
//! As root on Linux it runs in namespaces of its own, so that a name can move, a disk can be full, and nothing outlives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "a harness that fails may stop"
)]
#![allow(clippy::print_stdout, reason = "the table is the product")]

mod agent;
mod client;
mod disk;
mod event;
mod identity;
mod journal;
mod ledger;
mod namespace;
mod options;
mod podstamp;
mod process;
mod report;
mod run;
mod schedule;
mod shape;
mod verdict;
mod world;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == agent::ROLE) {
        return agent::serve(&arguments[1..]);
    }
    let options = match Options::read(&arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::from(64);
        }
    };
    if options.help {
        println!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    if let Some(status) = namespace::enter(&options) {
        return status;
    }
    run::run(&options)
}
