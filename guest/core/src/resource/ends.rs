//! When the spans of a resource ended: a second look, for the few resources where that decides something.

use crate::wire::{self, FIXED64, Fields, LENGTH};

/// The latest end of the spans in a ResourceSpans that was walked, nanoseconds since 1970. `None` without spans, or if one has no
/// end: the latest end is unknown then.
#[cold]
pub(crate) fn latest_end(resource_spans: &[u8]) -> Option<u64> {
    let mut latest = None;
    for scope_spans in messages(resource_spans) {
        for span in messages(scope_spans) {
            let end = end(span).filter(|end| *end != 0)?;
            latest = latest.max(Some(end));
        }
    }
    latest
}

/// ScopeSpans of ResourceSpans, or spans of ScopeSpans: field 2 of both.
fn messages(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields::of(content)
        .filter(|(number, wire, _)| (*number, *wire) == (2, LENGTH))
        .filter_map(|(_, _, after)| Some(wire::length_delimited(after).ok()?.0))
}

/// `end_time_unix_nano` of a span: the last one given counts.
fn end(span: &[u8]) -> Option<u64> {
    let ends = Fields::of(span).filter(|(number, wire, _)| (*number, *wire) == (8, FIXED64));
    let (_, _, after) = ends.last()?;
    after.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;

    use super::*;

    fn latest(scopes: &[&[u64]]) -> Option<u64> {
        let span = |end: &u64| Span { name: "a".repeat(200), end_time_unix_nano: *end, ..Span::default() };
        let scope =
            |ends: &&[u64]| ScopeSpans { spans: ends.iter().map(span).collect(), ..ScopeSpans::default() };
        let spans =
            ResourceSpans { scope_spans: scopes.iter().map(scope).collect(), ..ResourceSpans::default() };
        latest_end(&spans.encode_to_vec())
    }

    #[test]
    fn the_latest_end_of_all_scopes_counts() {
        assert_eq!(latest(&[&[3, 9, 2], &[], &[5]]), Some(9));
        assert_eq!(latest(&[&[u64::MAX]]), Some(u64::MAX));
    }

    #[test]
    fn without_spans_or_an_end_of_each_there_is_none() {
        assert_eq!(latest(&[]), None);
        assert_eq!(latest(&[&[]]), None);
        assert_eq!(latest(&[&[3, 0], &[5]]), None);
    }

    #[test]
    fn of_several_ends_of_a_span_the_last_counts() {
        let mut span = Span { end_time_unix_nano: 7, ..Span::default() }.encode_to_vec();
        span.extend(Span { end_time_unix_nano: 4, ..Span::default() }.encode_to_vec());
        let scope = [&[0x12, span.len() as u8][..], &span].concat();
        let spans = [&[0x12, scope.len() as u8][..], &scope].concat();
        assert_eq!(latest_end(&spans), Some(4));
    }
}
