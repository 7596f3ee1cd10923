//! The functions of the host.

#![expect(unsafe_code, reason = "functions of the host take addresses in our memory")]

use podstamp_core::interface::Signal;

/// The section `plugin_config` as JSON; empty where the host has none.
pub(crate) fn configuration() -> Vec<u8> {
    let mut text = Vec::new();
    // A ConfigMap holds 1 MiB.
    if !read(&mut text, 4 << 20, imports::configuration) {
        text.clear();
    }
    text
}

/// Reads the batch of a call. False: there is none, or it is too large.
#[cfg(feature = "pull")]
pub(crate) fn read_batch(signal: Signal, buffer: &mut Vec<u8>) -> bool {
    let get = match signal {
        Signal::Traces => imports::traces,
        Signal::Metrics => imports::metrics,
        Signal::Logs => imports::logs,
    };
    // As much as OTLP recommends to take.
    read(buffer, 64 << 20, get)
}

/// Hands over what goes on in place of the batch.
pub(crate) fn set_result(signal: Signal, body: &[u8]) {
    let set = match signal {
        Signal::Traces => imports::set_traces,
        Signal::Metrics => imports::set_metrics,
        Signal::Logs => imports::set_logs,
    };
    // SAFETY: the body lives until the call returns.
    unsafe { set(body.as_ptr(), body.len()) };
}

/// Says why a call fails.
pub(crate) fn set_reason(reason: &str) {
    // SAFETY: the reason lives until the call returns.
    unsafe { imports::set_reason(reason.as_ptr(), reason.len()) };
}

/// Has the host write into a buffer, which grows until it is large enough. Where it is too small hosts say 0, which also stands for
/// nothing at all; by the text of 0.1.0 they say how much they have.
fn read(buffer: &mut Vec<u8>, most: usize, get: Get) -> bool {
    let mut room = buffer.capacity().max(64 << 10);
    while room <= most {
        buffer.clear();
        // Not even the old bytes stay meanwhile.
        if buffer.capacity() < room {
            *buffer = Vec::new();
            if buffer.try_reserve_exact(room).is_err() {
                return false;
            }
        }
        // SAFETY: the host writes at most so many bytes.
        let size = unsafe { get(buffer.as_mut_ptr(), buffer.capacity()) };
        if (1..=buffer.capacity()).contains(&size) {
            // SAFETY: the host has written so many.
            unsafe { buffer.set_len(size) };
            return true;
        }
        room = size.max(2 * room);
    }
    false
}

type Get = unsafe extern "C" fn(*mut u8, usize) -> usize;

mod imports {
    #[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "opentelemetry.io/wasm"))]
    unsafe extern "C" {
        #[cfg_attr(feature = "pull", link_name = "getPluginConfig")]
        #[cfg_attr(not(feature = "pull"), link_name = "otelwasm_get_plugin_config")]
        pub(super) fn configuration(buffer: *mut u8, limit: usize) -> usize;
        #[cfg_attr(feature = "pull", link_name = "setResultTraces")]
        #[cfg_attr(not(feature = "pull"), link_name = "otelwasm_set_result_traces")]
        pub(super) fn set_traces(body: *const u8, size: usize);
        #[cfg_attr(feature = "pull", link_name = "setResultMetrics")]
        #[cfg_attr(not(feature = "pull"), link_name = "otelwasm_set_result_metrics")]
        pub(super) fn set_metrics(body: *const u8, size: usize);
        #[cfg_attr(feature = "pull", link_name = "setResultLogs")]
        #[cfg_attr(not(feature = "pull"), link_name = "otelwasm_set_result_logs")]
        pub(super) fn set_logs(body: *const u8, size: usize);
        #[cfg_attr(feature = "pull", link_name = "setResultStatusReason")]
        #[cfg_attr(not(feature = "pull"), link_name = "otelwasm_set_status_reason")]
        pub(super) fn set_reason(reason: *const u8, size: usize);
    }
    #[cfg(feature = "pull")]
    #[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "opentelemetry.io/wasm"))]
    unsafe extern "C" {
        #[link_name = "currentTraces"]
        pub(super) fn traces(buffer: *mut u8, limit: usize) -> usize;
        #[link_name = "currentMetrics"]
        pub(super) fn metrics(buffer: *mut u8, limit: usize) -> usize;
        #[link_name = "currentLogs"]
        pub(super) fn logs(buffer: *mut u8, limit: usize) -> usize;
    }
}
