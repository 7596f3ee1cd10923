//! The module in a real Envoy: what clients, deepflow-agent and everybody else on the listener see of it.
//!
//! The agent is the fake one. This does not prove anything about other versions of Envoy, or about other hosts of proxy-wasm
//! modules. Without Envoy the tests are skipped, and say so.

mod abi;
mod backend;
mod bodies;
mod cases;
mod configuration;
mod examples;
mod failures;
mod grpc;
mod inline;
mod limits;
mod memory;
mod metrics;
mod passing;
mod peers;
mod pods;
mod process;
mod recovery;
mod reload;
mod sdks;
mod setup;
mod tee;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;

pub(crate) use process::{Envoy, validate};
pub(crate) use setup::{POD, Setup};

/// The stamped form of a batch of `spans::export`, whose resources name their pod, from a pod at this address, with DeepFlow's
/// pipeline for load balancers and without a table of pods.
fn stamped(batch: &[u8], address: &str) -> ExportTraceServiceRequest {
    let mut message = ExportTraceServiceRequest::decode(batch).unwrap();
    for resource in &mut message.resource_spans {
        let attributes = &mut resource.resource.as_mut().unwrap().attributes;
        let name = attributes.iter().find(|attribute| attribute.key == "host.name").unwrap().value.clone();
        let address = Some(AnyValue { value: Some(Value::StringValue(address.to_owned())) });
        for (key, value) in
            [("k8s.pod.name", name), ("k8s.pod.ip", address.clone()), ("app.host.ip", address)]
        {
            attributes.push(KeyValue { key: key.to_owned(), value, ..Default::default() });
        }
    }
    message
}
