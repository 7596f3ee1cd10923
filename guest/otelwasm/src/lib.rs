//! podstamp's filter for the `wasm` processor of otelwasm: for its ABI 0.1.0, or with the feature `pull` for that of its main
//! branch. One filter serves all three signals. The host says nothing of clients, of pods, or of the time.

mod host;
#[cfg(feature = "pull")]
mod pull;
#[cfg(not(feature = "pull"))]
mod push;

use std::cell::Cell;

use podstamp_core::interface::{Answer, Header, Request, Signal};
use podstamp_embedded::{Embedded, Stamped, describe};

thread_local! {
    /// Taken out during a call. After a trap the next call begins with another one.
    static FILTER: Cell<Option<Embedded>> = const { Cell::new(None) };
}

/// Runs with the filter, which is configured unless it is already. An error is the reason for the host.
fn with_filter(run: impl FnOnce(&Embedded) -> Result<(), String>) -> u32 {
    let filter = FILTER.take().map_or_else(configured, Ok);
    let done = filter.and_then(|filter| {
        let done = run(&filter);
        FILTER.set(Some(filter));
        done
    });
    match done {
        Ok(()) => SUCCESS,
        Err(reason) => {
            host::set_reason(&reason);
            ERROR
        }
    }
}

fn configured() -> Result<Embedded, String> {
    let text = host::configuration();
    let text = std::str::from_utf8(&text).map_err(|_| "plugin_config: it is not UTF-8".to_owned())?;
    // Of a section that is not there.
    let text = if text == "null" { "" } else { text };
    Embedded::configure_hosted(text).map_err(|faults| format!("plugin_config: {}", describe(&faults)))
}

/// Stamps a batch and hands over what goes on in its place.
fn consume(signal: Signal, body: &[u8]) -> u32 {
    with_filter(|filter| {
        let headers = [Header::new("content-type", "application/x-protobuf")];
        let request = Request { signal, path: signal.path(), peer: None, headers: &headers, body, now: None };
        match filter.stamp(&request) {
            Stamped::Unchanged => host::set_result(signal, body),
            Stamped::Changed(body) => host::set_result(signal, &body),
            Stamped::Empty(_) => host::set_result(signal, &[]),
            Stamped::Refused(Answer { status, notice, .. }) => {
                return Err(notice.map_or_else(|| format!("refused with {status}"), |notice| notice.message));
            }
        }
        Ok(())
    })
}

const SUCCESS: u32 = 0;

const ERROR: u32 = 1;

/// Metrics, logs and traces, a bit each.
const SUPPORTED: u32 = 1 | 2 | 4;
