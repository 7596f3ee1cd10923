//! The host, as a server sees it.

use std::cell::RefCell;
use std::time::Duration;

use podstamp_core::hosting::throttle::Throttle;
use podstamp_core::interface::{Level, Notice};
use podstamp_embedded::serving::{Outgoing, Sent, World};
use wasip2::cli::stderr;
use wasip2::clocks::monotonic_clock;
use wasip2::random::random;

use crate::client;

/// The host.
#[derive(Default)]
pub(crate) struct Host {
    throttle: RefCell<Throttle>,
}

impl World for Host {
    fn now(&self) -> u64 {
        monotonic_clock::now() / 1_000_000
    }

    fn random(&self) -> u32 {
        random::get_random_u64() as u32
    }

    fn wait(&self, milliseconds: u32) {
        monotonic_clock::subscribe_duration(u64::from(milliseconds) * 1_000_000).block();
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> Sent {
        client::send(outgoing)
    }

    fn tell(&self, notice: &Notice) {
        let now = Duration::from_millis(self.now());
        let Some(suppressed) = self.throttle.borrow_mut().admit(notice.key.clone(), now) else { return };
        let Notice { level, key, message } = notice;
        let more = if suppressed > 0 { format!(" ({suppressed} more)") } else { String::new() };
        let level = match level {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let line = format!("podstamp: {level}: {key}: {message}{more}\n");
        let stream = stderr::get_stderr();
        for piece in line.as_bytes().chunks(MAX_WRITE) {
            // Where nobody reads it, there is nobody to tell either.
            if stream.blocking_write_and_flush(piece).is_err() {
                return;
            }
        }
    }
}

/// Bytes that wasi:io takes in one call.
const MAX_WRITE: usize = 4096;
