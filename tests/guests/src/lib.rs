//! The guests that tests and benchmarks load, by their paths. Here rather than in the host's build script, so that who only
//! wants the host does not wait for them.

/// The filter as a proxy-wasm module.
pub const PROXY_WASM: &str = env!("PODSTAMP_PROXY_WASM");

/// The filter as a proxy-wasm module whose VM ends at a body that says `trap`.
pub const TRAPPING: &str = env!("PODSTAMP_TRAPPING");

/// The filter as a module without imports.
pub const MODULE: &str = env!("PODSTAMP_MODULE");

/// The filter as a wasi:http component.
pub const WASI_HTTP: &str = env!("PODSTAMP_WASI_HTTP");

/// A proxy-wasm module that replaces bodies by themselves.
pub const IDENTITY: &str = env!("PODSTAMP_IDENTITY");

/// A proxy-wasm module that makes the calls of podstamp's module, and does nothing besides.
pub const CALLS: &str = env!("PODSTAMP_CALLS");

/// A component that misbehaves on request.
pub const FAULTY: &str = env!("PODSTAMP_FAULTY");

/// The filter as a module for Bento's `wasm` processor.
pub const BENTO: &str = env!("PODSTAMP_BENTO");

/// The filter as a module for otelwasm's ABI 0.1.0.
pub const OTELWASM: &str = env!("PODSTAMP_OTELWASM");

/// The filter as a module for the ABI of otelwasm's main branch.
pub const OTELWASM_PULL: &str = env!("PODSTAMP_OTELWASM_PULL");
