//! Clients and an upstream on threads of their own, for tests of a process.

pub mod grpc;
pub mod http;
pub mod http2;
pub mod raw;
pub mod status;
