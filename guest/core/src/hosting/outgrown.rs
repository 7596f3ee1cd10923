//! Refusing a body that stamping made too large.

use std::fmt::{Display, Formatter, Result};

use crate::answer::{Code, Failure};
use crate::interface::{Answer, Encoding};

/// A body that was within the limit as it came, and is over the limit with what the filter added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgrown {
    /// The limit, bytes.
    pub limit: u64,
}

impl Outgrown {
    /// The answer for the client: 413 with a `google.rpc.Status`.
    pub fn answer(&self, encoding: Encoding) -> Answer {
        Failure::new(413, Code::ResourceExhausted, &self.to_string()).answer(encoding)
    }
}

impl Display for Outgrown {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "the batch is over {} bytes once it is stamped: send smaller ones", self.limit)
    }
}
