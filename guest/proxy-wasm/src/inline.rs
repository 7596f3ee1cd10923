//! An export that is stamped where it is, on its way to the agent.
//!
//! Its headers go on at once, since a proxy cannot hold them back for the body; so all that changes in them does so before.
//! Its body is held until it is whole, and what the agent answers becomes the answer of OTLP.

mod answering;
mod body;
mod exchange;
mod reply;
mod source;

pub(crate) use exchange::Exchange;
