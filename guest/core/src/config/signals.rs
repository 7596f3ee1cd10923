//! Why keys of a signal have no effect.

use crate::signal::Signal;

/// The reason that a key has no effect whose signal is not among those `carried`.
pub(crate) const fn not_carried(carried: &[Signal]) -> &'static str {
    match carried {
        [Signal::Traces] => "podstamp carries traces only",
        _ => "no pipeline sends it through podstamp",
    }
}
