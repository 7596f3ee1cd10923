//! The module in a real Bento, with the pipeline of `examples/collector/bento`: what clients and deepflow-agent see of it.
//!
//! The agent is the fake one. This does not prove anything about Redpanda Connect, which has the same functions under another
//! name. Without Go the tests are skipped, and say so.

mod answers;
mod cases;
mod failures;
mod peers;
mod pods;
mod process;

use process::{Bento, Setup};
