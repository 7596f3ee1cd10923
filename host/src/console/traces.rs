//! The last traces, within a bound of bytes.

pub(super) mod query;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use podstamp_core::interface::{ExaminedResource, ExaminedSpan};

use super::services;
use super::told;
use query::TraceQuery;

/// A trace's id. What has another length is no trace.
type TraceId = [u8; 16];

/// The traces that are kept.
#[derive(Debug, Default)]
pub(super) struct Traces {
    kept: HashMap<TraceId, Kept>,
    bytes: usize,
    /// Counts the requests, so that the traces that were touched last are known.
    turn: u64,
}

#[derive(Debug, Default)]
struct Kept {
    resources: Vec<told::TraceResource>,
    /// The index of each row's resource.
    indices: HashMap<u64, u32>,
    spans: Vec<Span>,
    bytes: usize,
    touched: u64,
    omitted: bool,
    /// Whether a span of it has an error or no pod: it makes room after others.
    is_telling: bool,
}

#[derive(Debug)]
struct Span {
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    kind: u32,
    start: u64,
    end: u64,
    error: bool,
    resource: u32,
    status: String,
    attributes: Vec<told::Attribute>,
}

impl Traces {
    /// Notes the spans of a request, those of each resource in a list. `rows`: the rows that explain the resources. `capacity`: the bytes
    /// that all traces may take from now on.
    pub(super) fn note(
        &mut self,
        resources: &[ExaminedResource],
        spans: Vec<Vec<ExaminedSpan>>,
        rows: &[u64],
        omitted: bool,
        capacity: usize,
    ) {
        self.turn += 1;
        let chosen = self.choose(&spans);
        for ((resource, row), spans) in resources.iter().zip(rows).zip(spans) {
            let is_lost = told::is_unknown(told::found(resource.found));
            for span in spans {
                let Some(id) = trace_id(&span).filter(|id| chosen.contains(id)) else { continue };
                let kept = self.kept.entry(id).or_default();
                let before = kept.bytes;
                kept.is_telling |= is_lost || span.error;
                kept.touched = self.turn;
                kept.omitted |= omitted || kept.is_full();
                if !kept.is_full() {
                    let index = kept.index(resource, *row);
                    kept.push(span, index);
                }
                self.bytes += kept.bytes - before;
            }
        }
        for id in &chosen {
            if let Some(kept) = self.kept.get_mut(id) {
                kept.spans.shrink_to_fit();
            }
        }
        self.make_room(capacity);
    }

    /// The traces of a request that are kept: those that are known already, and of others a few. Which ones follows from their ids,
    /// so that of several requests with the same traces the same ones are kept.
    fn choose(&self, spans: &[Vec<ExaminedSpan>]) -> HashSet<TraceId> {
        let ids: HashSet<_> = spans.iter().flatten().filter_map(trace_id).collect();
        let (known, mut new): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| self.kept.contains_key(id));
        if new.len() > MAX_NEW {
            new.sort_by_key(hash);
            new.truncate(MAX_NEW);
        }
        known.into_iter().chain(new).collect()
    }

    /// Removes traces until what is left is within its bounds: first those without anything telling, the oldest ahead.
    fn make_room(&mut self, capacity: usize) {
        if self.bytes <= capacity && self.kept.len() <= MAX_TRACES {
            return;
        }
        let telling = self.kept.values().filter(|kept| kept.is_telling).count();
        // What is telling has half of the room at most, or else nothing new would ever stay.
        let spares_telling = telling * 2 <= self.kept.len();
        let mut order: Vec<_> = self
            .kept
            .iter()
            .map(|(id, kept)| (spares_telling && kept.is_telling, kept.touched, *id))
            .collect();
        order.sort_unstable();
        for (.., id) in order {
            if self.bytes <= capacity && self.kept.len() <= MAX_TRACES {
                break;
            }
            if let Some(kept) = self.kept.remove(&id) {
                self.bytes -= kept.bytes;
            }
        }
    }

    /// The traces that a query asks for, the newest first.
    pub(super) fn told(&self, query: &TraceQuery) -> told::Traces {
        let mut found: Vec<_> = self.kept.iter().filter(|(id, kept)| query.is_met(&hex(*id), kept)).collect();
        found.sort_by_key(|(id, kept)| (std::cmp::Reverse(kept.touched), **id));
        let matching = found.len();
        found.truncate(query.limit);
        told::Traces {
            kept: self.kept.len(),
            bytes: self.bytes,
            capacity_bytes: CAPACITY,
            matching,
            traces: found.into_iter().map(|(id, kept)| kept.summary(id)).collect(),
        }
    }

    /// One trace. `link` is where traces are shown elsewhere, with `{trace_id}` in the id's place.
    pub(super) fn trace(&self, id: TraceId, link: Option<&str>) -> Option<told::Trace> {
        self.kept.get(&id).map(|kept| kept.told(&hex(&id), link))
    }
}

impl Kept {
    fn is_full(&self) -> bool {
        self.spans.len() >= MAX_SPANS || self.bytes >= MAX_BYTES
    }

    /// The index of a resource, which is added where it is not there. The same row is the same service, pod, address and way.
    fn index(&mut self, resource: &ExaminedResource, row: u64) -> u32 {
        if let Some(index) = self.indices.get(&row) {
            return *index;
        }
        let ExaminedResource { service, service_namespace, pod, address, found, .. } = resource;
        let (pod_namespace, pod) =
            pod.as_ref().map(|pod| (pod.namespace.clone(), pod.name.clone())).unwrap_or_default();
        let told = told::TraceResource {
            service: service.clone(),
            service_namespace: service_namespace.clone(),
            pod,
            pod_namespace,
            address: address.clone().unwrap_or_default(),
            found: told::found(*found).to_owned(),
            row: Some(services::hex(row)),
        };
        let texts = [&told.service, &told.service_namespace, &told.pod, &told.pod_namespace, &told.address];
        let texts: usize = texts.into_iter().map(String::len).sum();
        self.bytes += size_of::<told::TraceResource>() + PLACE + texts;
        let index = self.resources.len() as u32;
        self.resources.push(told);
        self.indices.insert(row, index);
        index
    }

    fn push(&mut self, span: ExaminedSpan, resource: u32) {
        let attributes: Vec<_> = span
            .attributes
            .into_iter()
            .map(|attribute| told::Attribute { key: attribute.key, value: attribute.value })
            .collect();
        let texts: usize = attributes
            .iter()
            .map(|attribute| attribute.key.len() + attribute.value.len() + size_of::<told::Attribute>())
            .sum();
        self.bytes += size_of::<Span>() + 16 + span.name.len() + span.status_message.len() + texts;
        self.spans.push(Span {
            id: span.span_id,
            parent: span.parent_span_id,
            name: span.name,
            kind: span.kind,
            start: span.start,
            end: span.end,
            error: span.error,
            resource,
            status: span.status_message,
            attributes,
        });
    }

    fn resource(&self, span: &Span) -> Option<&told::TraceResource> {
        self.resources.get(span.resource as usize)
    }

    /// The spans, each once: a client may have sent it again. A client's and a server's may share an id, as Zipkin has it.
    fn spans(&self) -> impl Iterator<Item = &Span> {
        let mut seen = HashSet::new();
        self.spans.iter().filter(move |span| seen.insert((span.id.as_slice(), span.kind, span.resource)))
    }

    /// When the first span starts and the last one ends.
    fn bounds(&self) -> (u64, u64) {
        // Some spans have no start.
        let starts = self.spans.iter().map(|span| span.start).filter(|start| *start > 0);
        let start = starts.min().unwrap_or_default();
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        (start, end.max(start))
    }

    /// The span that no other one of the trace began: without a parent or, where all have one, the first without a known one.
    fn root(&self) -> Option<&Span> {
        let ids: HashSet<_> = self.spans.iter().map(|span| span.id.as_slice()).collect();
        let orphans = self.spans.iter().filter(|span| !ids.contains(span.parent.as_slice()));
        orphans.min_by_key(|span| (!span.parent.is_empty(), span.start))
    }

    fn is_complete(&self) -> bool {
        let ids: HashSet<_> = self.spans.iter().map(|span| span.id.as_slice()).collect();
        !self.omitted
            && self.spans.iter().all(|span| span.parent.is_empty() || ids.contains(span.parent.as_slice()))
    }

    /// The names of the services, the root's first; of many, the first ones.
    fn services(&self) -> Vec<String> {
        let root = self.root().and_then(|root| self.resource(root));
        let mut seen = HashSet::new();
        let resources = root.into_iter().chain(&self.resources);
        let first = resources.map(|resource| &resource.service).filter(|service| seen.insert(*service));
        first.take(MAX_TOLD_SERVICES).cloned().collect()
    }

    fn summary(&self, id: &TraceId) -> told::TraceSummary {
        let root = self.root();
        let (start, end) = self.bounds();
        let is_unknown =
            |span: &Span| self.resource(span).is_some_and(|resource| told::is_unknown(&resource.found));
        let (mut spans, mut errors, mut unknown) = (0, 0, 0);
        for span in self.spans() {
            spans += 1;
            errors += usize::from(span.error);
            unknown += usize::from(is_unknown(span));
        }
        told::TraceSummary {
            id: hex(id),
            service: root
                .and_then(|root| self.resource(root))
                .map(|resource| resource.service.clone())
                .unwrap_or_default(),
            name: root.map(|root| root.name.clone()).unwrap_or_default(),
            services: self.services(),
            spans,
            errors,
            unknown,
            start_ms: start as f64 / 1e6,
            duration_ms: (end - start) as f64 / 1e6,
            complete: self.is_complete(),
        }
    }

    fn told(&self, id: &str, link: Option<&str>) -> told::Trace {
        let (start, end) = self.bounds();
        let mut spans: Vec<_> = self.spans().map(|span| span.told(start)).collect();
        spans.sort_by_key(|span| (span.start_ns, std::cmp::Reverse(span.duration_ns)));
        told::Trace {
            id: id.to_owned(),
            start_ns: start.to_string(),
            duration_ns: end - start,
            omitted: self.omitted,
            link: link.map(|link| link.replace("{trace_id}", id)),
            resources: self.resources.clone(),
            spans,
        }
    }
}

impl Span {
    fn told(&self, trace_start: u64) -> told::TraceSpan {
        told::TraceSpan {
            id: hex(&self.id),
            parent: hex(&self.parent),
            name: self.name.clone(),
            kind: kind(self.kind),
            start_ns: self.start.saturating_sub(trace_start),
            duration_ns: self.end.saturating_sub(self.start),
            error: self.error,
            resource: self.resource,
            status: self.status.clone(),
            attributes: self.attributes.clone(),
        }
    }
}

fn trace_id(span: &ExaminedSpan) -> Option<TraceId> {
    TraceId::try_from(span.trace_id.as_slice()).ok().filter(|id| *id != [0; 16])
}

fn kind(number: u32) -> &'static str {
    match number {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(id: &TraceId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Bytes of all traces while somebody looks.
pub(super) const CAPACITY: usize = 4 << 20;

/// The same while nobody does: with what else the console keeps, and an instance of the filter for its thread, that is some megabytes.
pub(super) const UNWATCHED_CAPACITY: usize = 1 << 20;

/// The last few hundred.
const MAX_TRACES: usize = 400;

/// Traces that one request may bring anew, so that a single one of a busy gateway does not take the place of all others.
const MAX_NEW: usize = 40;

/// Spans of one trace.
const MAX_SPANS: usize = 20_000;

/// Bytes of one trace: others have room beside the largest one.
const MAX_BYTES: usize = 3 << 20;

/// About what a resource's other texts and its place in the index take.
const PLACE: usize = 64;

/// As many as a line of a list bears.
const MAX_TOLD_SERVICES: usize = 50;

#[cfg(test)]
mod tests;
