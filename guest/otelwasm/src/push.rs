//! The exports of ABI 0.1.0.

#![expect(unsafe_code, reason = "the host calls them by their names")]

use podstamp_core::interface::Signal;

use crate::{SUCCESS, SUPPORTED, consume, with_filter};

#[unsafe(no_mangle)]
extern "C" fn otelwasm_abi_version_0_1_0() {}

#[unsafe(no_mangle)]
extern "C" fn otelwasm_get_supported_telemetry() -> u32 {
    SUPPORTED
}

/// Room for a batch; null: there is none.
#[unsafe(no_mangle)]
extern "C" fn otelwasm_memory_allocate(size: usize) -> *mut u8 {
    let mut bytes = Vec::<u8>::new();
    if size == 0 || bytes.try_reserve_exact(size).is_err() || bytes.capacity() != size {
        return std::ptr::null_mut();
    }
    std::mem::ManuallyDrop::new(bytes).as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn otelwasm_start() -> u32 {
    with_filter(|_| Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn otelwasm_shutdown() -> u32 {
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn otelwasm_consume_traces(batch: *mut u8, size: usize) -> u32 {
    consume(Signal::Traces, &taken(batch, size))
}

#[unsafe(no_mangle)]
extern "C" fn otelwasm_consume_metrics(batch: *mut u8, size: usize) -> u32 {
    consume(Signal::Metrics, &taken(batch, size))
}

#[unsafe(no_mangle)]
extern "C" fn otelwasm_consume_logs(batch: *mut u8, size: usize) -> u32 {
    consume(Signal::Logs, &taken(batch, size))
}

/// Takes a batch over, which is freed here.
fn taken(batch: *mut u8, size: usize) -> Vec<u8> {
    if batch.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: by contract it comes from `otelwasm_memory_allocate`, with this size, and the host has filled it.
    unsafe { Vec::from_raw_parts(batch, size, size) }
}
