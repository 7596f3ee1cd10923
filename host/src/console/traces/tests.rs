use podstamp_core::interface::{AddressSource, ExaminedAttribute, ExaminedPod};

use super::*;

fn resource(service: &str, found: AddressSource) -> ExaminedResource {
    let pod = ExaminedPod { name: format!("{service}-0"), ..Default::default() };
    ExaminedResource {
        service: service.to_owned(),
        found,
        address: Some("10.0.0.1".to_owned()),
        pod: Some(pod),
        ..Default::default()
    }
}

fn trace_id(number: u32) -> Vec<u8> {
    let mut id = vec![7; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

/// A span of trace `trace` with the times in milliseconds.
fn span(trace: u32, id: u8, parent: u8, start: u64, end: u64) -> ExaminedSpan {
    let id_of = |number: u8| if number == 0 { Vec::new() } else { vec![number; 8] };
    ExaminedSpan {
        trace_id: trace_id(trace),
        span_id: id_of(id),
        parent_span_id: id_of(parent),
        name: format!("span {id}"),
        kind: 2,
        start: start * 1_000_000,
        end: end * 1_000_000,
        ..Default::default()
    }
}

fn note(traces: &mut Traces, resource: ExaminedResource, spans: Vec<ExaminedSpan>) {
    let row = services::id(&resource);
    traces.note(&[resource], vec![spans], &[row], false, CAPACITY);
}

fn summaries(traces: &Traces, query: TraceQuery) -> Vec<told::TraceSummary> {
    traces.told(&TraceQuery { limit: 1_000, ..query }).traces
}

#[test]
fn a_trace_is_put_together_from_several_requests() {
    let mut traces = Traces::default();
    note(&mut traces, resource("cart", AddressSource::Pod), vec![span(1, 2, 1, 1_010, 1_030)]);
    let summary = &summaries(&traces, TraceQuery::default())[0];
    assert!(!summary.complete, "its root is missing");
    assert_eq!((summary.service.as_str(), summary.name.as_str()), ("cart", "span 2"));

    let mut failed = span(1, 3, 2, 1_015, 1_020);
    failed.error = true;
    note(
        &mut traces,
        resource("web", AddressSource::Unknown),
        vec![span(1, 1, 0, 1_000, 1_040), failed.clone()],
    );
    // A client that sends again adds nothing.
    note(&mut traces, resource("web", AddressSource::Unknown), vec![failed]);
    let found = summaries(&traces, TraceQuery::default());
    assert_eq!(found.len(), 1);
    let told::TraceSummary {
        service,
        name,
        services,
        spans,
        errors,
        unknown,
        start_ms,
        duration_ms,
        complete,
        ..
    } = &found[0];
    assert_eq!((service.as_str(), name.as_str(), *complete), ("web", "span 1", true));
    assert_eq!(
        (services.as_slice(), *spans, *errors, *unknown),
        (&["web".to_owned(), "cart".to_owned()][..], 3, 1, 2)
    );
    assert_eq!((*start_ms, *duration_ms), (1_000.0, 40.0));

    let trace =
        traces.trace(trace_id(1).try_into().unwrap(), Some("https://grafana/t?id={trace_id}")).unwrap();
    assert_eq!(trace.link.as_deref(), Some("https://grafana/t?id=00000001070707070707070707070707"));
    assert_eq!(
        (trace.start_ns.as_str(), trace.duration_ns, trace.resources.len()),
        ("1000000000", 40_000_000, 2)
    );
    let spans: Vec<_> = trace
        .spans
        .iter()
        .map(|span| {
            (span.id.as_str(), span.parent.as_str(), span.start_ns / 1_000_000, span.duration_ns / 1_000_000)
        })
        .collect();
    let expected = [
        ("0101010101010101", "", 0, 40),
        ("0202020202020202", "0101010101010101", 10, 20),
        ("0303030303030303", "0202020202020202", 15, 5),
    ];
    assert_eq!(spans, expected);
    assert!(traces.trace([9; 16], None).is_none());
}

#[test]
fn a_query_narrows_what_is_told() {
    let mut traces = Traces::default();
    note(&mut traces, resource("Cart", AddressSource::Pod), vec![span(1, 1, 0, 0, 5)]);
    note(&mut traces, resource("web", AddressSource::Contradicted), vec![span(2, 2, 0, 10, 60)]);
    note(
        &mut traces,
        resource("db", AddressSource::Kept),
        vec![ExaminedSpan { error: true, ..span(3, 3, 0, 10, 310) }],
    );
    let found = |query: TraceQuery| {
        let services = summaries(&traces, query).into_iter().map(|trace| trace.service);
        services.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found(TraceQuery::default()), "db web Cart", "the newest first");
    assert_eq!(found(TraceQuery { service: "CAR".into(), ..TraceQuery::default() }), "Cart");
    assert_eq!(found(TraceQuery { name: "SPAN 2".into(), ..TraceQuery::default() }), "web");
    assert_eq!(found(TraceQuery { id: "00000003".into(), ..TraceQuery::default() }), "db");
    assert_eq!(found(TraceQuery { error: true, ..TraceQuery::default() }), "db");
    assert_eq!(found(TraceQuery { unknown: true, ..TraceQuery::default() }), "web");
    assert_eq!(found(TraceQuery { min_ms: Some(50.0), ..TraceQuery::default() }), "db web");
    assert_eq!(found(TraceQuery { max_ms: Some(50.0), ..TraceQuery::default() }), "web Cart");
    let told = traces.told(&TraceQuery { limit: 1, ..TraceQuery::default() });
    assert_eq!((told.kept, told.matching, told.traces.len()), (3, 3, 1));
}

#[test]
fn what_is_no_trace_is_left_out() {
    let mut traces = Traces::default();
    let without = |id: Vec<u8>| ExaminedSpan { trace_id: id, ..span(1, 1, 0, 0, 1) };
    note(
        &mut traces,
        resource("a", AddressSource::Pod),
        vec![without(vec![]), without(vec![1; 15]), without(vec![0; 16])],
    );
    assert!(summaries(&traces, TraceQuery::default()).is_empty());
    assert_eq!(traces.bytes, 0);
}

#[test]
fn times_that_make_no_sense_are_shown_as_they_can_be() {
    let mut traces = Traces::default();
    let spans = vec![span(1, 1, 0, 1_000, 1_010), span(1, 2, 1, 0, 1_005), span(1, 3, 1, 1_008, 1_002)];
    note(&mut traces, resource("a", AddressSource::Pod), spans);
    let trace = traces.trace(trace_id(1).try_into().unwrap(), None).unwrap();
    assert_eq!((trace.start_ns.as_str(), trace.duration_ns), ("1000000000", 10_000_000));
    let backwards = trace.spans.iter().find(|span| span.id.starts_with("03")).unwrap();
    assert_eq!((backwards.start_ns, backwards.duration_ns), (8_000_000, 0));
    let cycle = vec![span(2, 1, 2, 0, 1), span(2, 2, 1, 0, 1)];
    note(&mut traces, resource("a", AddressSource::Pod), cycle);
    assert!(summaries(&traces, TraceQuery::default()).iter().any(|trace| trace.name.is_empty()));
}

#[test]
fn several_requests_of_the_same_traces_keep_the_same_ones() {
    let mut traces = Traces::default();
    let request =
        |span_id| (0..10_000).map(|trace| span(trace, span_id, span_id - 1, 0, 1)).collect::<Vec<_>>();
    note(&mut traces, resource("web", AddressSource::Pod), request(1));
    note(&mut traces, resource("cart", AddressSource::Pod), request(2));
    let found = summaries(&traces, TraceQuery::default());
    assert!(found.len() <= 2 * MAX_NEW);
    let whole = found.iter().filter(|trace| trace.spans == 2).count();
    assert!(whole >= MAX_NEW, "{whole} of {}", found.len());
}

#[test]
fn what_is_kept_is_bounded_in_bytes_and_number_and_what_is_telling_stays_longer() {
    let mut traces = Traces::default();
    let lost = resource("lost", AddressSource::Unknown);
    note(&mut traces, lost, vec![span(1_000_000, 1, 0, 0, 1)]);
    for number in 0..2_000 {
        let mut large = span(number, 1, 0, 0, 1);
        large.attributes = vec![ExaminedAttribute { key: "k".into(), value: "x".repeat(20_000) }];
        note(&mut traces, resource("web", AddressSource::Pod), vec![large]);
        assert!(traces.bytes <= CAPACITY, "{}", traces.bytes);
    }
    let counted: usize = traces.kept.values().map(|kept| kept.bytes).sum();
    assert_eq!(counted, traces.bytes);
    let found = summaries(&traces, TraceQuery::default());
    assert!(found.len() > 100 && found.iter().any(|trace| trace.service == "lost"));
    assert_eq!(found[0].id, hex(&trace_id(1_999)));

    let mut traces = Traces::default();
    for number in 0..2_000 {
        note(&mut traces, resource("lost", AddressSource::Unknown), vec![span(number, 1, 0, 0, 1)]);
    }
    let found = summaries(&traces, TraceQuery::default());
    assert_eq!((found.len(), found[0].id.as_str()), (MAX_TRACES, hex(&trace_id(1_999)).as_str()));
}

#[test]
fn one_trace_of_many_spans_is_kept_whole_up_to_a_bound_and_says_when_it_is_not() {
    let mut traces = Traces::default();
    let spans = |count: u32| {
        (0..count).map(|number| ExaminedSpan {
            span_id: u64::from(number + 1).to_be_bytes().to_vec(),
            parent_span_id: if number == 0 { Vec::new() } else { 1u64.to_be_bytes().to_vec() },
            ..span(1, 1, 0, 0, 1)
        })
    };
    note(&mut traces, resource("web", AddressSource::Pod), spans(10_000).collect());
    let trace = traces.trace(trace_id(1).try_into().unwrap(), None).unwrap();
    assert_eq!((trace.spans.len(), trace.omitted), (10_000, false));
    assert!(summaries(&traces, TraceQuery::default())[0].complete);

    note(&mut traces, resource("web", AddressSource::Pod), spans(50_000).collect());
    let trace = traces.trace(trace_id(1).try_into().unwrap(), None).unwrap();
    assert!(trace.omitted && trace.spans.len() <= MAX_SPANS);
    assert!(!summaries(&traces, TraceQuery::default())[0].complete);
}

#[test]
fn requests_of_one_trace_alone_do_not_grow_it_over_its_bound_whatever_they_hold() {
    let mut traces = Traces::default();
    for number in 0..3_000 {
        let mut large = span(1, 1, 0, 0, 1);
        large.span_id = (number as u64).to_be_bytes().to_vec();
        large.attributes = vec![ExaminedAttribute { key: "k".into(), value: "x".repeat(20_000) }];
        note(&mut traces, resource(&format!("service-{number}"), AddressSource::Pod), vec![large]);
    }
    assert!(traces.bytes <= MAX_BYTES + 30_000, "{}", traces.bytes);
    let trace = traces.trace(trace_id(1).try_into().unwrap(), None).unwrap();
    assert!(trace.omitted && trace.resources.len() == trace.spans.len());
    let summary = &summaries(&traces, TraceQuery::default())[0];
    assert_eq!((summary.services.len(), summary.complete), (MAX_TOLD_SERVICES, false));
}

#[test]
fn a_client_and_a_server_may_share_an_id() {
    let mut traces = Traces::default();
    note(
        &mut traces,
        resource("web", AddressSource::Pod),
        vec![ExaminedSpan { kind: 3, ..span(1, 1, 0, 0, 9) }],
    );
    note(&mut traces, resource("cart", AddressSource::Pod), vec![span(1, 1, 0, 1, 8)]);
    assert_eq!(summaries(&traces, TraceQuery::default())[0].spans, 2);
}

#[test]
fn what_is_kept_shrinks_once_nobody_looks() {
    let mut traces = Traces::default();
    for number in 0..200 {
        let mut large = span(number, 1, 0, 0, 1);
        large.name = "x".repeat(15_000);
        note(&mut traces, resource("web", AddressSource::Pod), vec![large]);
    }
    assert!(traces.bytes > UNWATCHED_CAPACITY);
    let last = resource("web", AddressSource::Pod);
    traces.note(&[last], vec![vec![span(999, 1, 0, 0, 1)]], &[0], false, UNWATCHED_CAPACITY);
    assert!(traces.bytes <= UNWATCHED_CAPACITY);
    assert_eq!(summaries(&traces, TraceQuery::default())[0].id, hex(&trace_id(999)));
}
