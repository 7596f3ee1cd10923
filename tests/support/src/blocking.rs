//! Clients and an upstream on threads of their own, for tests of a process.

pub mod grpc;
pub mod http;
pub mod http2;
pub mod raw;
pub mod status;

use std::io;

use tokio::runtime::{Builder, Runtime};

/// The runtime of a client whose caller has none.
fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}
