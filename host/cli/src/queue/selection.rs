//! Which requests a command is about.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use podstamp::queue::stored::StoredQueue;

/// Some of the requests.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Only requests of this exporter, for example `otlphttp/agent`.
    #[arg(long, value_name = "ID")]
    exporter: Option<String>,
    /// Only requests of this signal: traces, metrics or logs.
    #[arg(long, value_name = "SIGNAL", value_parser = ["traces", "metrics", "logs"])]
    signal: Option<String>,
    /// Only requests that were queued so long ago: a number with s, m, h or d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
}

impl Selection {
    pub(super) fn is_everything(&self) -> bool {
        self.exporter.is_none() && self.signal.is_none() && self.older_than.is_none()
    }

    pub(super) fn has_queue(&self, queue: &StoredQueue) -> bool {
        self.exporter.as_ref().is_none_or(|exporter| *exporter == queue.exporter)
            && self.signal.as_ref().is_none_or(|signal| *signal == queue.signal)
    }

    /// The moment, in milliseconds since 1970, ahead of which requests have to be queued.
    pub(super) fn before(&self) -> u64 {
        match self.older_than {
            Some(age) => now().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            None => u64::MAX,
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn age(text: &str) -> Result<Duration, String> {
    let parsed = text.char_indices().last().and_then(|(at, unit)| {
        let number: u64 = text.get(..at)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        Some(Duration::from_secs(number.checked_mul(seconds)?))
    });
    parsed.ok_or_else(|| "a whole number with s, m, h or d, for example 90m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_whole_numbers_with_a_unit() {
        for (text, seconds) in [("0s", 0), ("90m", 5_400), ("2h", 7_200), ("3d", 259_200)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "5", "s", "-1s", "1.5h", "3w", "1é", "99999999999999999d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
