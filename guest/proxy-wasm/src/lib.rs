//! podstamp's filter as a proxy-wasm module, for Envoy, Istio and other proxies with that ABI.
//!
//! The module is an adapter: [`podstamp_core`] decides, and the module moves bytes between it and the proxy. A stream that is
//! no export of OTLP passes untouched. An export is either stamped where it is and sent to the agent (`inline`), or left as
//! it is and copied (`tee`).
//!
//! The proxy calls `exports`, which find the root or stream in `contexts`. A root has a `plugin`, which is the configured
//! filter and its pods, and `instruments`, which are handed to whoever counts and logs. What the proxy can be asked is `abi`.
//!
//! # Limits
//! The proxy has to take gRPC's frames away: Envoy does, with `envoy.filters.http.grpc_http1_reverse_bridge` ahead of this
//! module. In a copy the module takes them away itself.

mod abi;
#[cfg(any(target_arch = "wasm32", test))]
mod allocator;
mod budget;
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
