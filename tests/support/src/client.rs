//! Clients on the test's own runtime, for tests of a server in the same process.

mod http1;
mod http2;

pub use http1::{Client, Response, post};
pub use http2::{Answered, Http2, framed, framed_compressed};
