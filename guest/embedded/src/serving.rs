//! A server for hosts that hand on requests one by one and let themselves be asked for the rest: the time, a wait, a request
//! of one's own. What comes of a request is decided here, and the adapter carries it out.
//!
//! Copies for further exporters go out once the client has its answer, and [`Copies::send`] says when.

mod batch;
mod head;
mod pods;
mod route;
mod server;
mod support;
mod world;

pub use head::Head;
pub use server::{Copies, Server};
pub use world::{Outgoing, Sent, World};

#[cfg(test)]
mod tests;
