//! Tests of faults: their kinds and their places.

use podstamp_core::fault::{BodyFault, FaultKind};
use podstamp_core::testing::{Checks, diagnose, walk};

/// A length-delimited field, written plainly.
pub(crate) fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut value in [u64::from(number << 3 | 2), content.len() as u64] {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    out.extend_from_slice(content);
    out
}

/// The mark for the place of the fault. Other bytes of these bodies never have this value.
const MARK: u8 = 0xfe;

/// A body from pieces, and where the mark is.
fn marked(body: Vec<u8>) -> (Vec<u8>, usize) {
    let at = body.iter().position(|byte| *byte == MARK).expect("a mark");
    (body, at)
}

fn text(value: &[u8]) -> Vec<u8> {
    [field(1, b"key"), field(2, &field(1, value))].concat()
}

/// A request in which `span` has neighbours at every level.
fn request(span: &[u8]) -> Vec<u8> {
    let resource = field(1, &field(1, &text(b"shop")));
    let plain = field(2, &field(5, b"GET /"));
    let scope_spans = [field(1, &field(1, b"scope")), plain.clone(), plain, field(2, span)].concat();
    let first = field(1, &[resource.clone(), field(2, &field(2, &[]))].concat());
    [first, field(1, &[resource, field(2, &scope_spans)].concat())].concat()
}

#[test]
fn invalid_utf8_is_found_where_it_stands() {
    let bad = [b'a', b'b', MARK, b'c'];
    let in_event =
        [field(3, &text(b"x")), field(3, &text(b"y")), field(3, &text(b"z")), field(3, &text(&bad))].concat();
    let span = "resource_spans[1].scope_spans[0].spans[2]";
    for (content, path) in [
        (field(11, &in_event), "events[0].attributes[3].value"),
        ([field(11, b""), field(11, &field(2, &bad))].concat(), "events[1]"),
        (field(5, &bad), ""),
        (field(3, &bad), ""),
        ([field(9, &text(b"x")), field(9, &text(&bad))].concat(), "attributes[1].value"),
        (field(9, &field(1, &bad)), "attributes[0]"),
        (
            field(9, &field(2, &field(5, &field(1, &field(1, &bad))))),
            "attributes[0].value.array_value.values[0]",
        ),
        (
            field(9, &field(2, &field(6, &[field(1, &text(b"x")), field(1, &text(&bad))].concat()))),
            "attributes[0].value.kvlist_value.values[1].value",
        ),
        (field(13, &field(3, &bad)), "links[0]"),
        (field(13, &field(4, &text(&bad))), "links[0].attributes[0].value"),
        (field(15, &field(2, &bad)), "status"),
    ] {
        let (body, offset) = marked(request(&content));
        let path = if path.is_empty() { span.to_owned() } else { format!("{span}.{path}") };
        assert_eq!(diagnose(&body), Err(BodyFault { offset, position: None, path, kind: FaultKind::Utf8 }));
        assert!(walk(&body, &Checks::KINDS, |_| ()).is_ok(), "the walk does not look there");
    }
}

#[test]
fn invalid_utf8_in_resources_and_scopes_is_found_where_it_stands() {
    let bad = [b'a', MARK];
    for (content, path, by_walk) in [
        (field(1, &field(1, &text(&bad))), "resource_spans[0].resource.attributes[0].value", true),
        (field(1, &field(3, &field(4, &bad))), "resource_spans[0].resource.entity_refs[0]", true),
        (field(3, &bad), "resource_spans[0]", false),
        (field(2, &field(3, &bad)), "resource_spans[0].scope_spans[0]", false),
        (field(2, &field(1, &field(2, &bad))), "resource_spans[0].scope_spans[0].scope", false),
        (
            field(2, &field(1, &field(3, &text(&bad)))),
            "resource_spans[0].scope_spans[0].scope.attributes[0].value",
            false,
        ),
    ] {
        let (body, offset) = marked(field(1, &content));
        let fault = BodyFault { offset, position: None, path: path.to_owned(), kind: FaultKind::Utf8 };
        assert_eq!(diagnose(&body), Err(fault.clone()));
        assert_eq!(walk(&body, &Checks::KINDS, |_| ()).err(), by_walk.then_some(fault));
    }
}

/// The inputs that protobuf's conformance suite (binary part) wants refused, put at each level of an export.
#[test]
fn framing_faults_are_found_by_the_walk_and_by_the_diagnosis() {
    let faults: [(&[u8], FaultKind); 27] = [
        // The message ends within a tag, a varint, a fixed, a length, a text, a group.
        (&[0x88], FaultKind::Truncated),
        (&[0x98, 0x06], FaultKind::Truncated),
        (&[0x98, 0x06, 0x80], FaultKind::Truncated),
        (&[0x99, 0x06, 1, 2, 3, 4, 5, 6, 7], FaultKind::Truncated),
        (&[0x9d, 0x06, 1, 2, 3], FaultKind::Truncated),
        (&[0x9a, 0x06], FaultKind::Truncated),
        (&[0x9a, 0x06, 0x85], FaultKind::Truncated),
        (&[0x9a, 0x06, 0x03, b'a', b'b'], FaultKind::Truncated),
        (&[0x9a, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], FaultKind::Truncated),
        (&[0x9a, 0x06, 0x81, 0x80, 0x80, 0x80, 0x10, 0], FaultKind::Truncated),
        (&[0x9b, 0x06], FaultKind::Truncated),
        (&[0x9b, 0x06, 0x08, 0x01], FaultKind::Truncated),
        // Field number 0, in each wire type.
        (&[0x00, 0x01], FaultKind::FieldZero),
        (&[0x01, 1, 2, 3, 4, 5, 6, 7, 8], FaultKind::FieldZero),
        (&[0x02, 0x01, 0x00], FaultKind::FieldZero),
        (&[0x03, 0x04], FaultKind::FieldZero),
        // Tags over 32 bits, over 5 bytes, over 10 bytes.
        (&[0x80, 0x80, 0x80, 0x80, 0x10, 0x00], FaultKind::Tag),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00], FaultKind::Tag),
        (&[0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00], FaultKind::Tag),
        (&[0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00], FaultKind::Tag),
        // Wire types that do not exist.
        (&[0x9e, 0x06], FaultKind::WireType(6)),
        (&[0x9f, 0x06], FaultKind::WireType(7)),
        // Groups that end without having begun, or with another's number.
        (&[0x9c, 0x06], FaultKind::EndGroup),
        (&[0x9b, 0x06, 0xa4, 0x06], FaultKind::EndGroup),
        (&[0x9b, 0x06, 0xa3, 0x06, 0x9c, 0x06, 0xa4, 0x06], FaultKind::EndGroup),
        // Varints over 10 bytes or 64 bits.
        (&[0x98, 0x06, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], FaultKind::Varint),
        (&[0x98, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], FaultKind::Varint),
    ];
    let levels: [(&[u32], &str, bool); 7] = [
        (&[], "", true),
        (&[1], "resource_spans[0]", true),
        (&[1, 1], "resource_spans[0].resource", true),
        (&[1, 1, 1], "resource_spans[0].resource.attributes[0]", true),
        (&[2, 1], "resource_spans[0].scope_spans[0]", true),
        (&[2, 2, 1], "resource_spans[0].scope_spans[0].spans[0]", true),
        (&[2, 9, 2, 2, 1], "resource_spans[0].scope_spans[0].spans[0].attributes[0].value", false),
    ];
    for (bytes, kind) in faults {
        for (around, path, by_walk) in levels {
            // With an unknown field ahead of the fault, its place is not where the message begins.
            let content = [&[0x98, 0x06, 0x2a], bytes].concat();
            let body = around.iter().fold(content, |content, number| field(*number, &content));
            let fault =
                BodyFault { offset: body.len() - bytes.len(), position: None, path: path.to_owned(), kind };
            assert_eq!(diagnose(&body), Err(fault.clone()), "{bytes:02x?} in {path:?}");
            let walked = walk(&body, &Checks::KINDS, |_| ()).err();
            assert_eq!(walked, by_walk.then_some(fault), "{bytes:02x?} in {path:?}");
        }
    }
}

/// Every known field in each wire type that it does not have. Field numbers and wire types are prost's.
#[test]
fn known_fields_with_another_wire_type_are_refused() {
    // Path down to the message, and its fields by wire type: varint, fixed64, length, fixed32.
    type Numbers = &'static [u32];
    let messages: [(Numbers, [Numbers; 4], bool); 13] = [
        (&[], [&[], &[], &[1], &[]], true),
        (&[1], [&[], &[], &[1, 2, 3], &[]], true),
        (&[1, 1], [&[2], &[], &[1, 3], &[]], true),
        (&[3, 1, 1], [&[], &[], &[1, 2, 3, 4], &[]], true),
        (&[1, 1, 1], [&[], &[], &[1, 2], &[]], true),
        (&[2, 1, 1, 1], [&[2, 3], &[4], &[1, 5, 6, 7], &[]], true),
        (&[2, 1], [&[], &[], &[1, 2, 3], &[]], true),
        (&[1, 2, 1], [&[4], &[], &[1, 2, 3], &[]], false),
        (&[2, 2, 1], [&[6, 10, 12, 14], &[7, 8], &[1, 2, 3, 4, 5, 9, 11, 13, 15], &[16]], true),
        (&[11, 2, 2, 1], [&[4], &[1], &[2, 3], &[]], false),
        (&[13, 2, 2, 1], [&[5], &[], &[1, 2, 3, 4], &[6]], false),
        (&[15, 2, 2, 1], [&[3], &[], &[2], &[]], false),
        (&[2, 9, 2, 2, 1], [&[2, 3], &[4], &[1, 5, 6, 7], &[]], false),
    ];
    let values: [(u8, &[u8]); 5] = [(0, &[0x01]), (1, &[0; 8]), (2, &[0x00]), (5, &[0; 4]), (3, &[])];
    for (around, fields, by_walk) in messages {
        for (right, numbers) in [0, 1, 2, 5].into_iter().zip(fields) {
            for number in numbers {
                for (wire, value) in values {
                    let mut content = Vec::new();
                    put_tag(&mut content, *number, wire);
                    content.extend_from_slice(value);
                    if wire == 3 {
                        put_tag(&mut content, *number, 4);
                    }
                    let length = content.len();
                    let body = around.iter().fold(content, |content, number| field(*number, &content));
                    let judged = diagnose(&body).map_err(|fault| (fault.offset, fault.kind));
                    let walked =
                        walk(&body, &Checks::KINDS, |_| ()).map_err(|fault| (fault.offset, fault.kind));
                    let fault = (body.len() - length, FaultKind::Mismatch { field: *number, wire });
                    let expected = if wire == right { Ok(()) } else { Err(fault) };
                    assert_eq!(judged, expected, "field {number} of {around:?} as {wire}");
                    let by_walk = if by_walk { expected } else { Ok(()) };
                    assert_eq!(walked.map(|_| ()), by_walk, "field {number} of {around:?} as {wire}");
                }
            }
        }
    }
}

fn put_tag(out: &mut Vec<u8>, number: u32, wire: u8) {
    let tag = number << 3 | u32::from(wire);
    if tag < 0x80 {
        out.push(tag as u8);
    } else {
        out.extend([tag as u8 | 0x80, (tag >> 7) as u8]);
    }
}

#[test]
fn a_fault_in_the_second_piece_of_a_resource_is_found_in_that_piece() {
    let bad = [b'a', MARK];
    let pieces = [field(1, &field(1, &text(b"x"))), field(2, b""), field(1, &field(1, &text(&bad)))].concat();
    let (body, offset) = marked(field(1, &pieces));
    let fault = walk(&body, &Checks::KINDS, |_| ()).unwrap_err();
    assert_eq!((fault.offset, fault.kind), (offset, FaultKind::Utf8));
    assert_eq!(fault.path, "resource_spans[0].resource.attributes[0].value");
}

#[test]
fn faults_say_where_they_are_and_what_they_are() {
    let (body, offset) = marked(request(&field(9, &text(&[MARK]))));
    assert_eq!(
        diagnose(&body).unwrap_err().to_string(),
        format!(
            "resource_spans[1].scope_spans[0].spans[2].attributes[0].value: a text is not UTF-8 (at offset {offset:#x})"
        )
    );
    assert_eq!(
        diagnose(&[0x0e]).unwrap_err().to_string(),
        "the request: wire type 6 does not exist (at offset 0x0)"
    );
}
