//! The limits of an examination: those of its options, and of what it may take at all.
//!
//! In the sandbox memory that is freed within a call comes back only at its end, so that the memory that examining takes is counted as
//! well as that of the result.

use crate::interface::{
    Examination, ExaminedAttribute, ExaminedChange, ExaminedLookup, ExaminedPod, ExaminedResource,
    ExaminedSpan,
};
use crate::wire::{self, Fields, LENGTH};

/// What is left of all limits.
#[derive(Debug)]
pub(super) struct Limits {
    resources: u32,
    spans: u32,
    /// Bytes that examining resources may still take.
    work: usize,
    /// Bytes that the result may still take.
    told: usize,
}

impl Limits {
    pub(super) fn new(options: &Examination) -> Self {
        Self { resources: options.resources, spans: options.spans, work: MAX_WORK, told: MAX_TOLD }
    }

    /// Whether ResourceSpans with that content are examined. They count against the limits then.
    pub(super) fn admit(&mut self, content: &[u8]) -> bool {
        if self.resources == 0 {
            return false;
        }
        let pieces = Fields::of(content).filter(|(number, wire, _)| (*number, *wire) == (1, LENGTH));
        let pieces = pieces.filter_map(|(_, _, after)| wire::length_delimited(after).ok());
        let bytes: usize = pieces.map(|(piece, _)| piece.len()).sum();
        let work = WORK_EACH.saturating_add(bytes.saturating_mul(WORK_FACTOR));
        let Some(left) = self.work.checked_sub(work) else { return false };
        self.work = left;
        self.resources -= 1;
        true
    }

    /// Counts a resource without its spans; false where it is too much. Then no other is taken either.
    pub(super) fn take_resource(&mut self, resource: &ExaminedResource) -> bool {
        let taken = self.take(size_of_resource(resource));
        if !taken {
            self.resources = 0;
        }
        taken
    }

    /// Whether there is room for one more span.
    pub(super) fn has_spans(&self) -> bool {
        self.spans > 0
    }

    /// Counts a span; false where it is too much. Then no other is taken either.
    pub(super) fn take_span(&mut self, span: &ExaminedSpan) -> bool {
        let taken = self.has_spans() && self.take(size_of_span(span));
        self.spans = if taken { self.spans - 1 } else { 0 };
        taken
    }

    fn take(&mut self, bytes: usize) -> bool {
        let left = self.told.checked_sub(bytes);
        self.told = left.unwrap_or(self.told);
        left.is_some()
    }
}

/// About the bytes that a resource takes in the result, without its spans.
pub(super) fn size_of_resource(resource: &ExaminedResource) -> usize {
    let ExaminedResource { service, service_namespace, service_instance, claims, changes, lookups, .. } =
        resource;
    let texts = service.len() + service_namespace.len() + service_instance.len();
    let claims: usize = claims.iter().map(size_of_attribute).sum();
    let change = |change: &ExaminedChange| {
        let value = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        ENTRY + change.key.len() + value(&change.before) + value(&change.after)
    };
    let lookup = |lookup: &ExaminedLookup| {
        let terms: usize = lookup.terms.iter().map(|term| ENTRY + term.len()).sum();
        ENTRY + terms + lookup.pod.as_ref().map_or(0, String::len)
    };
    let pod = resource.pod.as_ref().map_or(0, |pod: &ExaminedPod| {
        let texts = pod.namespace.len() + pod.name.len() + pod.uid.len() + pod.node.len();
        texts + pod.addresses.len() * ENTRY
    });
    let changes: usize = changes.iter().map(change).sum();
    let lookups: usize = lookups.iter().map(lookup).sum();
    size_of::<ExaminedResource>() + texts + claims + changes + lookups + pod
}

fn size_of_span(span: &ExaminedSpan) -> usize {
    let ExaminedSpan { trace_id, span_id, parent_span_id, name, status_message, attributes, .. } = span;
    let ids = trace_id.len() + span_id.len() + parent_span_id.len();
    let attributes: usize = attributes.iter().map(size_of_attribute).sum();
    size_of::<ExaminedSpan>() + ids + name.len() + status_message.len() + attributes
}

fn size_of_attribute(attribute: &ExaminedAttribute) -> usize {
    ENTRY + attribute.key.len() + attribute.value.len()
}

/// Bytes of the result. A host takes at least twice as many in one call.
const MAX_TOLD: usize = 4 << 20;

/// Bytes that examining may take beside the body: a fraction of a guest's memory.
const MAX_WORK: usize = 48 << 20;

/// Bytes that a resource takes to examine, however small it is.
const WORK_EACH: usize = 8 << 10;

/// Bytes that are taken for each byte of a resource: an attribute of six bytes is read, copied and compared in 50 each.
const WORK_FACTOR: usize = 24;

/// What an entry of a list takes besides its texts.
const ENTRY: usize = 48;

/// Entries of each list that is told of a resource. Usual resources have some dozens of attributes, few of which change.
pub(super) const MAX_ENTRIES: usize = 64;
