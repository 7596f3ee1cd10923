//! Tests of OTLP/JSON's rules, one by one, and of the faults of other texts.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;

mod agreement;
mod reference;
mod signals;

use super::transcode;
use crate::fault::{BodyFault, FaultKind, Position};
use crate::message::diagnose;

#[track_caller]
fn read(text: &str) -> ExportTraceServiceRequest {
    let body = transcode(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(diagnose(&body), Ok(()));
    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    assert_eq!(body.len(), request.encoded_len(), "nothing is written that need not be");
    request
}

#[track_caller]
fn fault(text: &str) -> String {
    transcode(text.as_bytes()).unwrap_err().to_string()
}

fn with_span(members: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#)
}

fn with_value(value: &str) -> String {
    with_span(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))
}

#[track_caller]
fn span(members: &str) -> Span {
    read(&with_span(members)).resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

/// The fault without the path to the span.
#[track_caller]
fn span_fault(members: &str) -> String {
    let fault = transcode(with_span(members).as_bytes()).unwrap_err();
    let path = fault.path.strip_prefix("resourceSpans[0].scopeSpans[0].spans[0]").unwrap();
    format!("{path}: {}", fault.kind)
}

#[track_caller]
fn value(value: &str) -> Option<Value> {
    read(&with_value(value))
        .resource_spans
        .remove(0)
        .scope_spans
        .remove(0)
        .spans
        .remove(0)
        .attributes
        .remove(0)
        .value
        .unwrap()
        .value
}

#[track_caller]
fn value_fault(value: &str) -> String {
    transcode(with_value(value).as_bytes()).unwrap_err().kind.to_string()
}

#[test]
fn the_example_of_the_specification_reads_as_it_says() {
    let request = read(include_str!("../../../../tests/fixtures/otlp-trace.json"));
    let spans = &request.resource_spans[0];
    assert_eq!(spans.resource.as_ref().unwrap().attributes[0].key, "service.name");
    let scope = &spans.scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().version, "1.0.0");
    let span = &scope.spans[0];
    assert_eq!(span.trace_id, 0x5B8E_FFF7_9803_8103_D269_B633_813F_C60C_u128.to_be_bytes());
    assert_eq!(span.span_id, 0xEEE1_9B7E_C3C1_B174_u64.to_be_bytes());
    assert_eq!(span.parent_span_id, 0xEEE1_9B7E_C3C1_B173_u64.to_be_bytes());
    assert_eq!((span.name.as_str(), span.kind), ("I'm a server span", 2));
    assert_eq!(span.start_time_unix_nano, 1_544_712_660_000_000_000);
    assert_eq!(span.end_time_unix_nano, 1_544_712_661_000_000_000);
}

#[test]
fn j1_ids_are_hexadecimal_in_either_case() {
    let read =
        span(r#""traceId":"5B8EFFF798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"""#);
    assert_eq!(read.trace_id, 0x5B8E_FFF7_9803_8103_D269_B633_813F_C60C_u128.to_be_bytes());
    assert_eq!(read.span_id, 0xEEE1_9B7E_C3C1_B174_u64.to_be_bytes());
    assert_eq!(read.parent_span_id, [0; 0]);
    let link =
        &span(r#""links":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000002"}]"#)
            .links[0];
    assert_eq!((link.trace_id[15], link.span_id[7]), (1, 2));
}

#[test]
fn j1_ids_of_another_length_or_alphabet_are_faults() {
    for id in [
        "5b8efff798038103d269b633813fc6",
        "5b8efff798038103d269b633813fc60c00",
        "0",
        "W47/95gDgQPSabYzgT/GDA==",
    ] {
        let expected = ".traceId: has to be a string of 32 hexadecimal digits, or empty; base64, as protobuf's own JSON has ids, is not OTLP's";
        assert_eq!(span_fault(&format!(r#""traceId":"{id}""#)), expected);
    }
    let expected = "has to be a string of 16 hexadecimal digits, or empty; base64, as protobuf's own JSON has ids, is not OTLP's";
    for id in [r#""eee19b7ec3c1b17g""#, r#""eee19b7ec3c1b17é""#, "1", "[1]", "{}", "true"] {
        assert_eq!(span_fault(&format!(r#""spanId":{id}"#)), format!(".spanId: {expected}"));
        assert_eq!(span_fault(&format!(r#""parentSpanId":{id}"#)), format!(".parentSpanId: {expected}"));
        assert_eq!(
            span_fault(&format!(r#""links":[{{}},{{"spanId":{id}}}]"#)),
            format!(".links[1].spanId: {expected}")
        );
    }
}

#[test]
fn j1_other_bytes_are_base64() {
    for text in ["-_8", "+/8=", "-_8="] {
        assert_eq!(
            value(&format!(r#"{{"bytesValue":"{text}"}}"#)),
            Some(Value::BytesValue(vec![0xfb, 0xff]))
        );
    }
    assert_eq!(value(r#"{"bytesValue":""}"#), Some(Value::BytesValue(vec![])));
    let long = "A".repeat(400);
    assert_eq!(value(&format!(r#"{{"bytesValue":"{long}"}}"#)), Some(Value::BytesValue(vec![0; 300])));
    for text in [r#""A""#, r#""A?==""#, "1", "[1,2]"] {
        assert_eq!(value_fault(&format!(r#"{{"bytesValue":{text}}}"#)), "has to be a string in base64");
    }
}

#[test]
fn j2_enums_are_integers_or_names() {
    assert_eq!(span(r#""kind":3,"status":{"code":2}"#).kind, 3);
    assert_eq!(span(r#""status":{"code":2}"#).status.unwrap().code, 2);
    // Clearing these is up to the guard.
    for kind in [6, -1, i32::MAX, i32::MIN] {
        assert_eq!(span(&format!(r#""kind":{kind}"#)).kind, kind);
    }
    assert_eq!(span(r#""kind":"SPAN_KIND_SERVER""#).kind, 2);
    assert_eq!(span(r#""status":{"code":"STATUS_CODE_ERROR"}"#).status.unwrap().code, 2);
    let expected = "has to be the number of a value that the enum has, or its name";
    for kind in [
        r#""SPAN_KIND_NONE""#,
        r#""server""#,
        r#""2""#,
        "2147483648",
        "-2147483649",
        "1.5",
        "[2]",
        "{}",
        "false",
    ] {
        assert_eq!(span_fault(&format!(r#""kind":{kind}"#)), format!(".kind: {expected}"));
        assert_eq!(
            span_fault(&format!(r#""status":{{"code":{kind}}}"#)),
            format!(".status.code: {expected}")
        );
    }
}

#[test]
fn j3_unknown_fields_are_ignored_whatever_they_hold() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let request = read(&format!(
        r#"{{"x":{deep},"resourceSpans":[{{"y":{{"traceId":[null,1e-9,"\u00e9"]}},"schemaUrl":"s","":true}}]}}"#
    ));
    let expected = ResourceSpans { schema_url: "s".to_owned(), ..ResourceSpans::default() };
    assert_eq!(request.resource_spans, [expected]);
    // Fields that only other signals have are ignored.
    assert_eq!(value(r#"{"stringValueStrindex":3}"#), None);
    // A fault of syntax is one within ignored fields, too.
    assert!(fault(r#"{"x":{"a":[1,}}"#).starts_with("the request: this is not JSON"));
}

#[test]
fn j4_names_are_in_lower_camel_case_or_as_the_messages_have_them() {
    assert_eq!(
        span(r#""TraceId":17,"traceid":17,"trace__id":17,"trace_id_":17,"trace_Id":17"#),
        Span::default()
    );
    let spelled = span(r#""start_time_unix_nano":"7","trace_state":"a","dropped_attributes_count":3"#);
    assert_eq!((spelled.start_time_unix_nano, spelled.dropped_attributes_count), (7, 3));
    assert_eq!(spelled.trace_state, "a");
    assert_eq!(read(r#"{"resource_spans":[{}]}"#).resource_spans.len(), 1);
    assert_eq!(value(r#"{"string_value":"a"}"#), Some(Value::StringValue("a".to_owned())));
    // An escape is another way to write the same name.
    assert_eq!(span(r#""n\u0061me":"a""#).name, "a");
}

#[test]
fn j5_integers_of_64_bits_are_strings_or_numbers() {
    for time in [r#""1793000000000000001""#, "1793000000000000001"] {
        assert_eq!(
            span(&format!(r#""startTimeUnixNano":{time}"#)).start_time_unix_nano,
            1_793_000_000_000_000_001
        );
    }
    assert_eq!(span(r#""endTimeUnixNano":"18446744073709551615""#).end_time_unix_nano, u64::MAX);
    assert_eq!(
        span(r#""events":[{"timeUnixNano":1.793e18}]"#).events[0].time_unix_nano,
        1_793_000_000_000_000_000
    );
    for (text, number) in [
        ("-1", -1),
        (r#""-1""#, -1),
        ("1e3", 1000),
        (r#""1e3""#, 1000),
        ("2.0", 2),
        ("0", 0),
        ("-0", 0),
        (r#""9223372036854775807""#, i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(value(&format!(r#"{{"intValue":{text}}}"#)), Some(Value::IntValue(number)), "{text}");
    }
}

#[test]
fn j5_integers_out_of_range_and_what_is_no_integer_are_faults() {
    for number in [
        r#""9223372036854775808""#,
        "9223372036854775808",
        "1.5",
        r#""""#,
        r#"" 1""#,
        r#""0x1""#,
        r#""one""#,
        "true",
        "[]",
        "{}",
    ] {
        let expected = "has to be a signed 64-bit integer, as a decimal string or a number";
        assert_eq!(value_fault(&format!(r#"{{"intValue":{number}}}"#)), expected, "{number}");
    }
    for time in ["-1", r#""-1""#, "18446744073709551616", r#""18446744073709551616""#, "0.5"] {
        let expected =
            ".endTimeUnixNano: has to be an unsigned 64-bit integer, as a decimal string or a number";
        assert_eq!(span_fault(&format!(r#""endTimeUnixNano":{time}"#)), expected, "{time}");
    }
}

#[test]
fn integers_of_32_bits_are_numbers_or_strings_too() {
    for (text, number) in [("7", 7), (r#""7""#, 7), ("4294967295", u32::MAX), ("1e2", 100)] {
        let names = ["flags", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"];
        let read = span(&names.map(|name| format!(r#""{name}":{text}"#)).join(","));
        let counts =
            [read.flags, read.dropped_attributes_count, read.dropped_events_count, read.dropped_links_count];
        assert_eq!(counts, [number; 4]);
        for name in names {
            for wrong in ["-1", "4294967296", r#""4294967296""#, "0.5", r#""x""#] {
                let expected = format!(".{name}: has to be an integer from 0 to 4294967295");
                assert_eq!(span_fault(&format!(r#""{name}":{wrong}"#)), expected);
            }
        }
    }
}

#[test]
fn doubles_are_exact_and_have_three_names() {
    let bits = |text: &str| match value(&format!(r#"{{"doubleValue":{text}}}"#)) {
        Some(Value::DoubleValue(number)) => number.to_bits(),
        other => panic!("{other:?}"),
    };
    for (text, number) in [
        ("0", 0.0),
        ("-0.0", -0.0),
        ("3", 3.0),
        ("-3", -3.0),
        ("18446744073709551615", u64::MAX as f64),
        ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890.0),
        ("0.30000000000000004", 0.1 + 0.2),
        // A reader that multiplies by powers of ten gets these wrong.
        ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
        ("8.9e-310", 8.9e-310),
        ("1.7976931348623157e308", f64::MAX),
        ("1e-400", 0.0),
        (r#""1.5""#, 1.5),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
        (r#""NaN""#, f64::NAN),
    ] {
        assert_eq!(bits(text), number.to_bits(), "{text}");
    }
    for text in [r#""nan""#, r#""inf""#, r#""""#, r#""1,5""#, r#""1e400""#, "true", "[]"] {
        let expected = r#"has to be a number, or one of "NaN", "Infinity" and "-Infinity""#;
        assert_eq!(value_fault(&format!(r#"{{"doubleValue":{text}}}"#)), expected, "{text}");
    }
    assert_eq!(value_fault(r#"{"doubleValue":1e400}"#), "a number is too large for a double");
}

#[test]
fn members_of_a_value_are_written_also_if_they_are_empty() {
    assert_eq!(value(r#"{"stringValue":""}"#), Some(Value::StringValue(String::new())));
    assert_eq!(value(r#"{"boolValue":false}"#), Some(Value::BoolValue(false)));
    assert_eq!(value(r#"{"boolValue":true}"#), Some(Value::BoolValue(true)));
    assert_eq!(value(r#"{"intValue":"0"}"#), Some(Value::IntValue(0)));
    assert_eq!(value(r#"{"doubleValue":0.0}"#), Some(Value::DoubleValue(0.0)));
    assert_eq!(value(r#"{"arrayValue":{}}"#), Some(Value::ArrayValue(ArrayValue::default())));
    assert_eq!(value(r#"{"kvlistValue":{"values":[]}}"#), Some(Value::KvlistValue(KeyValueList::default())));
    assert_eq!(value("{}"), None);
    let values = vec![AnyValue { value: None }, AnyValue { value: Some(Value::IntValue(1)) }];
    let array = Some(Value::ArrayValue(ArrayValue { values }));
    assert_eq!(value(r#"{"arrayValue":{"values":[{},{"intValue":1}]}}"#), array);
    for text in [r#""true""#, "1", "{}"] {
        assert_eq!(value_fault(&format!(r#"{{"boolValue":{text}}}"#)), "has to be true or false");
    }
}

#[test]
fn fields_with_their_default_value_are_not_written() {
    let empty = transcode(with_span("").as_bytes()).unwrap();
    let members = r#""traceId":"","traceState":"","flags":0,"kind":0,"startTimeUnixNano":"0","attributes":[],"name":"""#;
    assert_eq!(transcode(with_span(members).as_bytes()), Ok(empty));
}

#[test]
fn null_is_a_field_that_is_not_set_and_no_element() {
    let names = [
        "traceId",
        "traceState",
        "flags",
        "name",
        "kind",
        "startTimeUnixNano",
        "attributes",
        "droppedAttributesCount",
        "events",
        "status",
        "links",
    ];
    assert_eq!(span(&names.map(|name| format!(r#""{name}":null"#)).join(",")), Span::default());
    assert_eq!(read(r#"{"resourceSpans":null}"#), ExportTraceServiceRequest::default());
    assert_eq!(value(r#"{"stringValue":"a","intValue":null}"#), Some(Value::StringValue("a".to_owned())));
    assert_eq!(span_fault(r#""links":[{},null]"#), ".links[1]: has to be an object");
    assert!(
        fault(r#"{"resourceSpans":[{"resource":{"entityRefs":[{"idKeys":["a",null]}]}}]}"#)
            .starts_with("resourceSpans[0].resource.entityRefs[0].idKeys[1]: has to be a string")
    );
    assert!(fault("null").starts_with("the request: has to be an object"));
}

#[test]
fn fields_that_come_twice_mean_what_they_mean_in_protobuf() {
    let twice = |members: &str| {
        let body = transcode(with_span(members).as_bytes()).unwrap();
        assert_eq!(diagnose(&body), Ok(()));
        let mut request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
    };
    assert_eq!(twice(r#""name":"a","kind":2,"name":"b","kind":3"#).name, "b");
    let cleared = twice(
        r#""name":"a","flags":1,"kind":2,"traceId":"5b8efff798038103d269b633813fc60c",
        "startTimeUnixNano":1,"name":"","flags":0,"kind":0,"traceId":"","startTimeUnixNano":"0""#,
    );
    assert_eq!(cleared, Span::default());
    let status = twice(r#""status":{"code":1,"message":"a"},"status":{"code":2}"#).status.unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "a"));
    assert_eq!(twice(r#""links":[{"flags":1}],"links":[{"flags":2}]"#).links.len(), 2);
    // Two spellings of a name are one field, as in the Collector.
    assert_eq!(twice(r#""trace_state":"a","traceState":"b""#).trace_state, "b");
    assert_eq!(twice(r#""traceState":"a","trace_state":"""#), Span::default());
    let joined = r#"{"resource_spans":[{}],"resourceSpans":[{},{}]}"#;
    assert_eq!(read(joined).resource_spans.len(), 3);
    let last = |members: &str| {
        let members = format!(r#""attributes":[{{"key":"k","value":{{{members}}}}}]"#);
        twice(&members).attributes.remove(0).value.unwrap().value
    };
    assert_eq!(last(r#""stringValue":"a","intValue":1"#), Some(Value::IntValue(1)));
    assert_eq!(
        last(r#""arrayValue":{"values":[{}]},"stringValue":"""#),
        Some(Value::StringValue(String::new()))
    );
}

#[test]
fn an_empty_object_is_an_empty_request_and_nothing_is_none() {
    for text in ["{}", " \r\n\t{ } ", r#"{"resourceSpans":[]}"#] {
        assert_eq!(transcode(text.as_bytes()), Ok(vec![]));
    }
    let ends = "the request: the JSON ends too early: it was cut off, or a bracket is not closed";
    assert_eq!(fault(""), format!("{ends} (at line 1, column 1, offset 0x0)"));
    assert_eq!(fault("\n "), format!("{ends} (at line 2, column 2, offset 0x2)"));
    for text in ["[]", "1", r#""{}""#, "true", "[{}]"] {
        assert_eq!(
            fault(text),
            "the request: has to be an object (at line 1, column 1, offset 0x0)",
            "{text}"
        );
    }
}

#[test]
fn strings_are_unescaped() {
    assert_eq!(span(r#""name":"a\"\\\/\b\f\n\r\t\u00e9\ud83e\udd80é""#).name, "a\"\\/\u{8}\u{c}\n\r\té🦀é");
    assert_eq!(span(r#""traceId":"\u0035b8efff798038103d269b633813fc60c""#).trace_id[0], 0x5b);
    assert_eq!(span(r#""startTimeUnixNano":"\u0031""#).start_time_unix_nano, 1);
    let escape = ": a backslash begins no escape that JSON has";
    for text in [r"\x", r"\u12g4"] {
        assert_eq!(span_fault(&format!(r#""name":"{text}""#)), format!(".name{escape}"), "{text}");
    }
    assert!(span_fault("\"name\":\"a\nb\"").starts_with(".name: a control character stands in a string"));
}

/// The place of a fault as a person finds it: the text there, line and column.
#[track_caller]
fn place(text: &str) -> (&str, u32, u32) {
    let BodyFault { offset, position, .. } = transcode(text.as_bytes()).unwrap_err();
    let Position { line, column } = position.unwrap();
    (&text[offset..], line, column)
}

#[test]
fn faults_of_values_are_where_the_value_begins() {
    let text = "{\n  \"resourceSpans\": [{\n    \"schemaUrl\": \"é\", \"scopeSpans\": VALUE\n  }]\n}";
    for value in [r#""x""#, r#""""#, r#""\"x\\""#, "-1.5e3", "17", "false", "{}", "{ }", "{ \"a\": 1 }"] {
        let text = text.replace("VALUE", value);
        let (at, line, column) = place(&text);
        assert_eq!((at, line, column), (&format!("{value}\n  }}]\n}}")[..], 3, 37));
    }
    for value in ["[\n]", "[ 1]"] {
        let text = text.replace("scopeSpans", "resource").replace("VALUE", value);
        assert_eq!(place(&text).0, format!("{value}\n  }}]\n}}"));
    }
    let text = with_span(r#""links":[{"traceId":"00"}],"name":"n""#);
    assert_eq!(place(&text).0, r#""00"}],"name":"n"}]}]}]}"#);
}

#[test]
fn faults_of_syntax_are_where_they_are() {
    for (text, at, problem) in [
        ("{]", "]", "this is not JSON"),
        ("{\"a\":}", "}", "this is not JSON"),
        ("{\"a\" 1}", "1}", "this is not JSON"),
        ("{\n\"resourceSpans\":[{},]}", "]}", "a comma has nothing after it"),
        ("{\"resourceSpans\":[{}],\n}", "}", "a comma has nothing after it"),
        ("{'a':1}", "'a':1}", "this is not JSON"),
        ("{} {}", "{}", "something follows the request: one body holds one JSON object"),
        ("{}\0", "\0", "something follows the request: one body holds one JSON object"),
        ("{\"resourceSpans\":[", "", "the JSON ends too early: it was cut off, or a bracket is not closed"),
        (
            "{\"resourceSpans\":[{\"schemaUrl\":\"a",
            "",
            "the JSON ends too early: it was cut off, or a bracket is not closed",
        ),
    ] {
        let fault = transcode(text.as_bytes()).unwrap_err();
        assert_eq!((&text[fault.offset..], fault.kind.to_string()), (at, problem.to_owned()), "{text}");
    }
    assert!(
        fault(r#"{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"name":nul"#)
            .starts_with("resourceSpans[1].scopeSpans[0].spans[0].name: ")
    );
}

#[test]
fn halves_of_pairs_and_what_is_not_utf_8_cost_one_character() {
    for (text, expected) in [
        (&br#""name":"a\ud83e""#[..], "a\u{fffd}"),
        (br#""name":"\ud83e\u0041\udd80""#, "\u{fffd}A\u{fffd}"),
        (b"\"name\":\"caf\xc3\"", "caf\u{fffd}"),
        (b"\"name\":\"\xf0\x9f\x98\\ud83e\"", "\u{fffd}\u{fffd}"),
    ] {
        let text = [br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"#, text, b"}]}]}]}"].concat();
        let body = transcode(&text).unwrap();
        assert_eq!(diagnose(&body), Ok(()));
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, expected);
    }
    // A fault further on gets its place in the text as it came.
    let fault = transcode(b"{\"x\":\"\xff\xff\",\n\"resourceSpans\":7}").unwrap_err();
    assert_eq!((fault.offset, fault.path.as_str()), (27, "resourceSpans"));
    assert_eq!(fault.position, Some(Position { line: 2, column: 17 }));
}

#[test]
fn another_encoding_and_a_byte_order_mark_are_faults() {
    let fault = transcode(b"\xef\xbb\xbf{}").unwrap_err();
    let expected = "the request: begins with a byte order mark, which JSON must not: encode it as UTF-8 without one \
                    (at line 1, column 1, offset 0x0)";
    assert_eq!(fault.to_string(), expected);
    // UTF-16 is not UTF-8, with or without its own mark.
    assert_eq!(transcode(b"\xff\xfe{\0}\0").unwrap_err().kind, FaultKind::Utf8);
}

/// A resource with an attribute whose value nests `levels` levels.
fn nested(levels: usize, begin: &str, end: &str) -> String {
    let value = format!("{}{{}}{}", begin.repeat(levels), end.repeat(levels));
    format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"value":{value}}}]}}}}]}}"#)
}

#[test]
fn what_nests_as_deep_as_json_may_is_read_by_prost_and_deeper_is_a_fault() {
    // Seven levels of JSON are there already; each more takes three in an array and four in a map.
    for (begin, end, levels) in
        [(r#"{"arrayValue":{"values":["#, "]}}", 40), (r#"{"kvlistValue":{"values":[{"value":"#, "}]}}", 30)]
    {
        read(&nested(levels, begin, end));
        let fault = transcode(nested(levels + 1, begin, end).as_bytes()).unwrap_err();
        assert_eq!(fault.kind.to_string(), "nested deeper than 127 objects and lists");
        assert!(fault.path.starts_with("resourceSpans[0].resource.attributes[0].value."));
        let bomb = begin.repeat(100_000);
        assert_eq!(
            transcode(nested(0, &bomb, "").replace("{}", &bomb).as_bytes()).unwrap_err().kind.to_string(),
            "nested deeper than 127 objects and lists"
        );
    }
}

#[test]
fn lengths_are_canonical_at_every_width() {
    for length in [
        0, 1, 50, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16_300, 16_383, 16_384, 2_097_151,
        2_097_152,
    ] {
        let request = read(&with_value(&format!(r#"{{"stringValue":"{}"}}"#, "x".repeat(length))));
        let attribute = &request.resource_spans[0].scope_spans[0].spans[0].attributes[0];
        let expected = Value::StringValue("x".repeat(length));
        assert_eq!(attribute.value.as_ref().unwrap().value, Some(expected));
    }
}

#[test]
fn lengths_are_canonical_whatever_the_last_message_of_the_kind_had() {
    let lengths = [10, 130, 10, 20_000, 10, 300, 130, 115, 116, 117, 118, 119, 120, 0, 17_000, 3_000_000, 5];
    let values = lengths.map(|length| "\\n".repeat(length / 2) + &"x".repeat(length % 2));
    let spans = values.each_ref().map(|value| {
        let nested = format!(r#"{{"kvlistValue":{{"values":[{{"key":"é","value":{{"stringValue":"{value}"}}}}]}}}}"#);
        format!(r#"{{"attributes":[{{"key":"k","value":{nested}}}],"events":[{{"name":"{value}"}}],"status":{{"message":"{value}"}}}}"#)
    });
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
    let request = read(&text);
    let read = &request.resource_spans[0].scope_spans[0].spans;
    for (span, length) in read.iter().zip(lengths) {
        let message = &span.status.as_ref().unwrap().message;
        assert_eq!((message.len(), span.events[0].name.len()), (length.div_ceil(2), message.len()));
    }
    assert_eq!(read.len(), lengths.len());
}

#[test]
fn the_result_is_hardly_longer_than_the_text() {
    // The shortest texts that have the longest results.
    for (members, times) in [
        (r#""kind":-1"#, 1),
        (r#""flags":1"#, 1),
        (r#""kind":-1"#, 1000),
        (r#""links":[{"flags":1}]"#, 1000),
        (r#""links":[{},{},{},{},{}]"#, 1000),
        (r#""events":[{"name":"a"}]"#, 1000),
        (r#""attributes":[{"value":{"intValue":-1}}]"#, 1000),
        (r#""attributes":[{"value":{"arrayValue":{"values":[{},{},{},{},{},{}]}}}]"#, 1000),
    ] {
        let text = with_span(&vec![members; times].join(","));
        let body = transcode(text.as_bytes()).unwrap();
        assert!(body.len() * 10 <= text.len() * 11, "{members}: {} of {}", body.len(), text.len());
    }
}
