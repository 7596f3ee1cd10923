//! Which traces somebody asks for.

use super::Kept;
use crate::console::told::is_unknown;

/// What a trace has to have. What is empty or `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TraceQuery {
    /// Part of the name of one of the services, in any case.
    pub(crate) service: String,
    /// Part of the name of one of the spans, in any case.
    pub(crate) name: String,
    /// How the id begins, in hex.
    pub(crate) id: String,
    /// Whether a span has to have an error.
    pub(crate) error: bool,
    /// Whether a span has to be without a pod.
    pub(crate) unknown: bool,
    /// The shortest duration, milliseconds.
    pub(crate) min_ms: Option<f64>,
    /// The longest duration, milliseconds.
    pub(crate) max_ms: Option<f64>,
    /// How many traces to tell of.
    pub(crate) limit: usize,
}

impl TraceQuery {
    /// Whether a trace has all that is asked for.
    pub(super) fn is_met(&self, id: &str, kept: &Kept) -> bool {
        let (start, end) = kept.bounds();
        let duration = (end - start) as f64 / 1e6;
        id.starts_with(&self.id.to_ascii_lowercase())
            && self.min_ms.is_none_or(|min| duration >= min)
            && self.max_ms.is_none_or(|max| duration <= max)
            && (!self.error || kept.spans.iter().any(|span| span.error))
            && (!self.unknown || kept.resources.iter().any(|resource| is_unknown(&resource.found)))
            && (self.service.is_empty()
                || kept.resources.iter().any(|resource| contains(&resource.service, &self.service)))
            && (self.name.is_empty() || kept.spans.iter().any(|span| contains(&span.name, &self.name)))
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}
