//! From start to end of a process: when traffic may come, which signals end it, and how it stops without a loss.

mod drain;
mod readiness;
mod signals;

pub(crate) use drain::{Drain, Draining, Phase};
pub use readiness::Readiness;
pub use signals::{Signal, Signals};
