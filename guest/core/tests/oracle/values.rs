//! Tests of attribute values that are given more than once, and of lengths that only look like one byte.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp_core::testing::{Checks, diagnose, walk};
use prost::Message;

use crate::decode;
use crate::faults::field;

/// Members of an AnyValue, some of which merge.
fn members() -> Vec<Vec<u8>> {
    let array = |text: &[u8]| field(5, &field(1, &field(1, text)));
    let map = |key: &[u8]| field(6, &field(1, &[field(1, key), field(2, &field(1, b"v"))].concat()));
    let mut members = vec![
        vec![],
        field(1, b"text"),
        field(1, b""),
        vec![0x10, 0x01],
        vec![0x10, 0x80, 0x80, 0x01],
        vec![0x18, 0x2a],
        [&[0x18][..], &[0xff; 9], &[0x01]].concat(),
        [&[0x21][..], &1.5_f64.to_le_bytes()].concat(),
        array(b"first"),
        array(b"second"),
        field(5, b""),
        map(b"a"),
        map(b"b"),
        field(7, b"bytes"),
        // The field is unknown, so the value before it stays.
        field(100, b"?"),
    ];
    members.push(members.iter().flatten().copied().collect());
    members
}

#[test]
fn a_value_given_several_times_is_copied_as_prost_reads_it() {
    let members = members();
    for first in &members {
        for second in &members {
            for third in [&members[0], &members[8], &members[12]] {
                let together = field(2, &[first.as_slice(), second, third].concat());
                let apart = [field(2, first), field(2, second), field(2, third)].concat();
                for value in [together, apart] {
                    let attribute = [field(1, b"from"), value].concat();
                    let body = field(1, &field(1, &field(1, &attribute)));
                    let walked = walk(&body, &Checks::KINDS, |resource| {
                        let value = resource.get("from").cloned().expect("the attribute");
                        resource.set("to", value);
                    });
                    let out = walked.unwrap().edits.apply(&body).unwrap();
                    let attributes = &decode(&out).resource_spans[0].resource.clone().unwrap().attributes;
                    let value = |index: usize| attributes[index].value.clone().unwrap_or_default();
                    assert_eq!(value(0), value(1), "{attribute:02x?}");
                }
            }
        }
    }
}

/// The short cut for plain attributes takes one byte for a length; from 0x80 on a length has more.
#[test]
fn lengths_that_need_two_bytes_are_never_read_as_one() {
    for key in [1, 0x7f, 0x80, 0xc8, 0xff_usize] {
        for text in [0, 1, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0xfd] {
            let value: [Vec<u8>; 2] = [
                [&[0x12, text as u8 + 2, 0x0a, text as u8][..], &vec![b't'; text]].concat(),
                vec![0x12, 0x02, 0x18, 0x01],
            ];
            for value in value {
                let attribute = [&[0x0a, key as u8][..], &vec![b'k'; key], &value].concat();
                for around in [&[1, 1, 1][..], &[9, 2, 2, 1], &[3, 1, 2, 1]] {
                    let body =
                        around.iter().fold(attribute.clone(), |content, number| field(*number, &content));
                    let accepted = ExportTraceServiceRequest::decode(&body[..]).is_ok();
                    assert_eq!(diagnose(&body).is_ok(), accepted, "{key} {text} in {around:?}");
                    if around == [1, 1, 1] {
                        assert_eq!(walk(&body, &Checks::KINDS, |_| ()).is_ok(), accepted, "{key} {text}");
                    }
                }
            }
        }
    }
}
