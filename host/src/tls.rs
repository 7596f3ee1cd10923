//! TLS, towards clients and towards the upstream.

mod client;
mod connector;
mod parameters;
mod pem;
mod reason;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use client::{Client, NoTls};
pub(crate) use connector::{BoxError, Connector, Stream};
pub(crate) use reason::{NoHandshake, of_client, refusal};
pub(crate) use server::Acceptor;
