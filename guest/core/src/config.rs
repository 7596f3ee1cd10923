//! The configuration document: the OpenTelemetry Collector's, as JSON, and one more section, `podstamp`.
//!
//! A document is read once, into what runs. Everything that is wrong with it is reported at once, each fault with its
//! path. What the Collector knows and podstamp goes without is accepted with a notice where that loses nothing, and a
//! fault where it would.

mod agent;
mod carried;
mod catalog;
mod collector;
mod compiled;
mod delivery;
mod document;
mod exporters;
mod extensions;
mod kubernetes;
mod podstamp;
mod processors;
mod reading;
mod receivers;
mod service;
mod signals;
mod tls;

pub use crate::guard::Rules;
pub use crate::pipeline::{Pipeline, TurnedAway};
pub use agent::{AGENT_PATH, AGENT_PATHS, DEFAULT_URL};
pub use carried::Carried;
pub use compiled::Config;
pub use document::{
    BRACKETS, Environment, Fault, Place, ReadScalar, Secret, Source, Unresolved, bracketed, from_struct,
    no_effect, read_json,
};
pub use exporters::otlphttp::compression::Compression;
pub use exporters::otlphttp::retry_on_failure::Retry;
pub use exporters::otlphttp::sending_queue::{QueueBatch, SendingQueue, Sizer};
pub use exporters::otlphttp::{DEFAULT_TIMEOUT, Exporter};
pub use extensions::{Bearer, ClientAuth, FileStorage, Htpasswd, Login, ServerAuth};
pub use kubernetes::{AuthType, Kubernetes, Selector};
pub use podstamp::admin::{Admin, Console, DEFAULT_ADMIN};
pub use podstamp::limits::{Limits, Stated};
pub use podstamp::pods::{Pods, PodsFrom};
pub use podstamp::proxy_wasm::{Mode, PodsSource, ProxyWasm};
pub use podstamp::queue::Queue;
pub use podstamp::upstream::{DEFAULT_PATIENCE, Upstream};
pub use podstamp::{DEFAULT_DRAIN_DELAY, ProxyProtocol};
pub use processors::batch::Batching;
pub use processors::memory_limiter::MemoryLimiter;
pub use reading::{Reading, Unset, parse, read_all, resolve};
pub use receivers::otlp::cors::Cors;
pub use receivers::otlp::{
    DEFAULT_ENDPOINT, DEFAULT_GRPC_ENDPOINT, DEFAULT_PATH, DEFAULT_STREAMS, GRPC_PATH, GRPC_SERVICE, Grpc,
    Http, Keepalive, Receiver, is_same_listener,
};
pub use tls::{
    CipherSuite, ClientTls, Curve, DEFAULT_RELOAD_INTERVAL, Identity, Parameters, ServerTls, Version,
};

/// What runs where nothing is configured: the pipeline that DeepFlow documents for load balancers, towards the agent on
/// this host.
pub const DEFAULT_DOCUMENT: &str = include_str!("config/default.json");

#[cfg(test)]
mod tests;
