//! Tests of how deep messages and groups may nest: exactly as deep as prost, deepflow-agent's reader, accepts.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp_core::fault::FaultKind;
use podstamp_core::testing::{Checks, diagnose, walk};
use prost::Message;

use crate::faults::field;

/// Wraps `content` in fields with these numbers, the innermost first.
fn wrapped(content: Vec<u8>, numbers: &[u32]) -> Vec<u8> {
    numbers.iter().fold(content, |content, number| field(*number, &content))
}

fn group(field: u32, content: &[u8]) -> Vec<u8> {
    assert!(field < 16);
    let tag = (field << 3) as u8;
    [&[tag | 3], content, &[tag | 4]].concat()
}

/// Asserts that diagnosis and prost agree on the bodies that `make` gives for each number of levels, and returns the highest
/// number that is accepted.
fn deepest(make: impl Fn(usize) -> Vec<u8>, walk_looks: bool) -> usize {
    let mut deepest = 0;
    for levels in 0..110 {
        let body = make(levels);
        let accepted = ExportTraceServiceRequest::decode(&body[..]).is_ok();
        match diagnose(&body) {
            Ok(()) => assert!(accepted, "{levels} levels"),
            Err(fault) => {
                assert!(!accepted, "{levels} levels: {fault}");
                assert_eq!(fault.kind, FaultKind::TooDeep);
            }
        }
        assert_eq!(walk(&body, &Checks::NONE, |_| ()).is_ok(), accepted || !walk_looks, "{levels} levels");
        if accepted {
            deepest = levels;
        }
    }
    deepest
}

/// An attribute whose value nests `levels` times, by array or by kvlist.
fn nested(levels: usize, map: bool) -> Vec<u8> {
    let value = (0..levels).fold(field(1, b"leaf"), |value, _| match map {
        false => field(5, &field(1, &value)),
        true => field(6, &field(1, &[field(1, b"k"), field(2, &value)].concat())),
    });
    [field(1, b"k"), field(2, &value)].concat()
}

#[test]
fn values_in_spans_nest_as_deep_as_prost_reads() {
    // Request, ResourceSpans, ScopeSpans, Span, KeyValue, AnyValue: 95 levels are left.
    assert_eq!(deepest(|levels| wrapped(nested(levels, false), &[9, 2, 2, 1]), false), 47);
    assert_eq!(deepest(|levels| wrapped(nested(levels, true), &[9, 2, 2, 1]), false), 31);
    assert_eq!(deepest(|levels| wrapped(nested(levels, true), &[3, 11, 2, 2, 1]), false), 31);
    assert_eq!(deepest(|levels| wrapped(nested(levels, false), &[3, 1, 2, 1]), false), 47);
}

#[test]
fn values_in_resources_nest_as_deep_as_prost_reads() {
    assert_eq!(deepest(|levels| wrapped(nested(levels, false), &[1, 1, 1]), true), 48);
    assert_eq!(deepest(|levels| wrapped(nested(levels, true), &[1, 1, 1]), true), 32);
}

#[test]
fn groups_nest_as_deep_as_prost_reads_wherever_they_stand() {
    let groups = |levels, core: &[u8]| (0..levels).fold(core.to_vec(), |inner, _| group(15, &inner));
    let path_to = |place: &[u32], levels, core: &[u8]| {
        // A group within a message takes levels like the messages around it.
        wrapped(groups(levels, core), place)
    };
    for (place, walk_looks) in [
        (&[][..], true),
        (&[1], true),
        (&[1, 1], true),
        (&[1, 1, 1], true),
        (&[2, 1, 1, 1], true),
        (&[3, 1, 1], true),
        (&[2, 1], true),
        (&[1, 2, 1], false),
        (&[9, 2, 2, 1], false),
        (&[2, 9, 2, 2, 1], false),
    ] {
        let left = 100 - place.len();
        assert_eq!(deepest(|levels| path_to(place, levels, &[]), walk_looks), left, "{place:?}");
        // A scalar within takes a level of its own.
        assert_eq!(
            deepest(|levels| path_to(place, levels, &[0x98, 0x06, 0x01]), walk_looks),
            left - 1,
            "{place:?}"
        );
    }
    // Field 15 is known in a span, so another number is used there.
    let spanned = |levels| {
        wrapped(
            (0..levels).fold(vec![], |inner: Vec<u8>, _| [&[0x93, 0x3f], &inner[..], &[0x94, 0x3f]].concat()),
            &[2, 2, 1],
        )
    };
    assert_eq!(deepest(spanned, true), 97);
}

#[test]
fn bombs_of_groups_and_values_are_refused_in_time() {
    let groups = vec![0x7b; 1 << 20];
    assert_eq!(diagnose(&groups).unwrap_err().kind, FaultKind::TooDeep);
    assert_eq!(walk(&groups, &Checks::KINDS, |_| ()).unwrap_err().kind, FaultKind::TooDeep);
    // Levels are not copied on the way down: 3000 of them, a few bytes each, are refused quickly.
    let value = wrapped(nested(3000, false), &[9, 2, 2, 1]);
    assert_eq!(diagnose(&value).unwrap_err().kind, FaultKind::TooDeep);
}
