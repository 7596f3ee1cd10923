//! TLS, towards clients and towards the upstream.

mod client;
mod connector;
mod parameters;
mod pem;
mod reason;
#[cfg_attr(not(test), expect(dead_code, reason = "the receiver takes no TLS yet"))]
mod server;
#[cfg(test)]
mod tests;

pub(crate) use client::Client;
pub(crate) use connector::Connector;
pub(crate) use reason::refusal;
#[cfg_attr(not(test), expect(unused_imports, reason = "the receiver takes no TLS yet"))]
pub(crate) use server::Acceptor;
