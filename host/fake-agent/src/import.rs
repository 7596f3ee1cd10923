//! Imports a request: from its bytes to the resources that the agent would send on.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use agent_flate2::read::GzDecoder;
use agent_hyper::HeaderMap;
use agent_hyper::body::Buf;
use agent_hyper::header::CONTENT_ENCODING;
use prost::Message;

use crate::fault::{Fault, SpanName};
use crate::harm::{self, Harm};
use crate::host_ip::{self, Carried, ServerAddresses};
use crate::message::{ResourceSpans, Span, TracesData};
use crate::peer;
use crate::record::{ResourceRecord, SpanRecord, hex};
use crate::value::Attribute;

/// The sender of requests: one TCP connection.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) peer: SocketAddr,
    /// The number of the connection's next span. The agent begins at 0 in each, and loads and stores it apart.
    flow_id: AtomicU64,
}

/// The result of importing a request.
#[derive(Debug, Default)]
pub(crate) struct Import {
    pub(crate) resources: Vec<ResourceRecord>,
    pub(crate) harms: Vec<Harm>,
}

impl Sender {
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self { peer, flow_id: AtomicU64::new(0) }
    }
}

/// The body without its encoding.
///
/// Only the exact value `gzip` counts; of several gzip members the first one, and nothing limits its size.
pub(crate) fn decompress(body: impl Buf, headers: &HeaderMap) -> Result<Vec<u8>, Fault> {
    let mut reader = body.reader();
    let mut decoded = Vec::new();
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value == "gzip") {
        GzDecoder::new(reader).read_to_end(&mut decoded)?;
    } else {
        reader.read_to_end(&mut decoded)?;
    }
    Ok(decoded)
}

/// Decodes the body, adds what the agent adds, and trips over what the agent trips over.
pub(crate) fn import(body: &[u8], sender: &Sender) -> Result<Import, Fault> {
    let mut message = TracesData::decode(body)?;
    let mut carried = Carried::new(sender.peer.ip());
    let mut resources = Vec::with_capacity(message.resource_spans.len());
    for resource_spans in &mut message.resource_spans {
        resources.push(import_resource(resource_spans, &mut carried, sender)?);
    }
    let spans = resources.iter().map(|resource| resource.spans.len() as u64).sum();
    let mut import = Import { resources, harms: Vec::new() };
    if spans > harm::MAX_METRICS as u64 {
        import.harms.push(Harm::TooManySpans { spans });
    }
    import
        .harms
        .extend(harm::too_much_memory(body.len(), &message).map(|bytes| Harm::TooMuchMemory { bytes }));
    import.harms.extend(harm::long_names(&message).map(|copied| Harm::LongNames { copied }));
    if let Some(compressed) = harm::too_large(&message) {
        import.harms.push(Harm::TooLarge { compressed, spans });
    }
    Ok(import)
}

fn import_resource(
    message: &mut ResourceSpans,
    carried: &mut Carried,
    sender: &Sender,
) -> Result<ResourceRecord, Fault> {
    let has_resource = message.resource.is_some();
    let mut wire_host_ip = None;
    let mut attributes = Vec::new();
    if let Some(resource) = &mut message.resource {
        wire_host_ip = host_ip::on_the_wire(resource);
        carried.take(resource);
        attributes = resource.attributes.iter().cloned().map(Attribute::from).collect();
    }
    let addresses = ServerAddresses::of(&attributes);
    let first = sender.flow_id.load(Ordering::Relaxed);
    let spans = message.scope_spans.iter().flat_map(|scope_spans| &scope_spans.spans);
    let spans: Vec<_> = (first..)
        .zip(spans)
        .map(|(flow_id, span)| import_span(span, flow_id, carried.address, addresses))
        .collect::<Result<_, _>>()?;
    sender.flow_id.store(first + spans.len() as u64, Ordering::Relaxed);
    let server_address = addresses.in_row(false);
    Ok(ResourceRecord { has_resource, attributes, wire_host_ip, server_address, spans })
}

fn import_span(
    span: &Span,
    flow_id: u64,
    host: IpAddr,
    addresses: ServerAddresses,
) -> Result<SpanRecord, Fault> {
    let (trace_id, span_id) = (hex(&span.trace_id), hex(&span.span_id));
    let name = || SpanName { name: span.name.clone(), trace_id: trace_id.clone(), span_id: span_id.clone() };
    if !KINDS.contains(&span.kind) {
        return Err(Fault::Kind { kind: span.kind, span: name() });
    }
    if let Some(peer) = peer::agent_peer(&span.attributes)
        && peer.is_ipv4() != host.is_ipv4()
    {
        return Err(Fault::Family { host, peer, span: name() });
    }
    Ok(SpanRecord {
        trace_id,
        span_id,
        parent_span_id: hex(&span.parent_span_id),
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        row_address: addresses.in_row(peer::is_ipv6_at_the_server(&span.attributes)),
        metrics_address: host,
        flow_id,
        counted: false,
    })
}

/// The kinds that opentelemetry-proto has: unspecified, internal, server, client, producer, consumer.
const KINDS: std::ops::RangeInclusive<i32> = 0..=5;
