//! The component in real hosts of wasi:http: jco on Node, which keeps one instance, and `wasmtime serve`, which by default makes one
//! for each request.
//!
//! The agent is the fake one. This does not prove anything about other hosts, such as Spin. Where a host cannot be had its tests
//! are skipped, and say so.

mod bodies;
mod cases;
mod configuration;
mod documented;
mod failures;
mod pods;
mod process;
mod world;

use std::net::SocketAddr;

use podstamp_fake_agent::TRACE_PATH;
use serde_json::{Value, json};

use process::{Entry, Server};

/// A host of components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Jco,
    Wasmtime,
}

impl Host {
    const BOTH: [Self; 2] = [Self::Jco, Self::Wasmtime];

    /// Starts a server with a document; `None` where the host cannot be had.
    fn serve(self, document: &Value) -> Option<Server> {
        self.serve_with(&[("PODSTAMP_CONFIG", &document.to_string())])
    }

    /// Starts a server with these variables.
    fn serve_with(self, variables: &[(&str, &str)]) -> Option<Server> {
        match self {
            Self::Jco => Some(process::jco(&[Entry::new("podstamp", variables)])?.0),
            Self::Wasmtime => process::wasmtime(variables, &[]),
        }
    }
}

/// DeepFlow's pipeline towards an agent, which is asked once.
fn towards(agent: SocketAddr) -> Value {
    let exporter = json!({
        "traces_endpoint": format!("http://{agent}{TRACE_PATH}"),
        "retry_on_failure": {"enabled": false},
    });
    let mut document: Value = serde_json::from_str(podstamp_core::config::DEFAULT_DOCUMENT).unwrap();
    document["exporters"] = json!({"otlphttp": exporter});
    document["podstamp"] = json!({});
    document
}
