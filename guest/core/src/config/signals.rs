//! Which signals a document carries.

use crate::signal::Signal;

/// Why a key for a signal has no effect that is not among those `carried`.
pub(crate) const fn not_carried(carried: &[Signal]) -> &'static str {
    match carried {
        [Signal::Traces] => "podstamp carries traces only",
        _ => "no pipeline sends it through podstamp",
    }
}
