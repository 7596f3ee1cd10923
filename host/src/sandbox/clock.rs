//! The time, for the filter, which has no clock of its own.

use std::time::SystemTime;

/// Nanoseconds since 1970; `None` where the clock stands before that.
pub fn now() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// Milliseconds since 1970, for people; 0 where the clock stands before that.
pub(crate) fn milliseconds() -> u64 {
    now().unwrap_or_default() / 1_000_000
}
