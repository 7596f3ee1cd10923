//! The filter's parts, one by one, for tests, benchmarks and fuzz targets. Nothing here is a promise.
//!
//! The module exists only with the feature `testing`, which dependents turn on among their dev-dependencies.

pub use crate::guard::checks::Checks;
pub use crate::guard::memory::Limits;
pub use crate::json::{transcode, transcode_as};
pub use crate::message::diagnose;
pub use crate::resource::{Resource, Value};
pub use crate::trace::{Walked, walk};

use crate::config::Rules;

/// The checks that the walk makes for these rules; `now` is the host's clock in nanoseconds since 1970.
pub fn checks(rules: &Rules, now: Option<u64>) -> Checks {
    rules.checks(now)
}
