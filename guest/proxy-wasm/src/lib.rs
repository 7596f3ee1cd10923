//! podstamp's filter as a proxy-wasm module, for Envoy, Istio and other proxies with that ABI.
//!
//! Only an adapter: [`podstamp_core`] decides, this moves bytes between it and the host. A stream is either nothing to do
//! with OTLP and left alone, changed where it is and sent to the agent (`inline`), or left alone and copied (`tee`).
//!
//! # Limits
//! Of gRPC the proxy has to undo the frames: Envoy does, with `envoy.filters.http.grpc_http1_reverse_bridge` ahead of this
//! module. In a copy the module undoes them itself.

mod abi;
mod budget;
mod coding;
mod contexts;
mod exports;
mod head;
mod inline;
mod instruments;
mod metrics;
mod notices;
mod peer;
mod plugin;
mod pods;
mod response;
mod support;
mod tee;
#[cfg(test)]
mod tests;
