//! The exports of the main branch's ABI.

#![expect(unsafe_code, reason = "the host calls them by their names")]

use std::cell::Cell;

use podstamp_core::interface::Signal;

use crate::{ERROR, SUPPORTED, consume, host};

thread_local! {
    /// What the last batch was read into.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[unsafe(export_name = "getSupportedTelemetry")]
extern "C" fn supported_telemetry() -> u32 {
    SUPPORTED
}

#[unsafe(export_name = "processTraces")]
extern "C" fn process_traces() -> u32 {
    process(Signal::Traces)
}

#[unsafe(export_name = "processMetrics")]
extern "C" fn process_metrics() -> u32 {
    process(Signal::Metrics)
}

#[unsafe(export_name = "processLogs")]
extern "C" fn process_logs() -> u32 {
    process(Signal::Logs)
}

fn process(signal: Signal) -> u32 {
    let mut buffer = BUFFER.take();
    let status = if host::read_batch(signal, &mut buffer) {
        consume(signal, &buffer)
    } else {
        // To take the one for the other would lose a batch, or let none pass.
        host::set_reason("the batch is empty, or over 64 MiB: the host does not say which");
        ERROR
    };
    BUFFER.set(buffer);
    status
}
