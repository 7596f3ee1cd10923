//! OTLP/JSON against an oracle: a generated request is written as JSON, in all ways that the specification allows, and has to
//! come out as the same request.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use podstamp_core::testing::{self, diagnose};
use podstamp_test_support::otlp_json;
use proptest::prelude::*;
use prost::Message;

use crate::choices::Choices;
use crate::{config, decode, entropy, generator};

/// The request as JSON can express it: without fields of other signals, with ids of the right length and one kind of NaN.
fn tellable(body: &[u8]) -> ExportTraceServiceRequest {
    let mut request = decode(body);
    for spans in &mut request.resource_spans {
        if let Some(resource) = &mut spans.resource {
            tellable_attributes(&mut resource.attributes);
        }
        for scope_spans in &mut spans.scope_spans {
            if let Some(scope) = &mut scope_spans.scope {
                tellable_attributes(&mut scope.attributes);
            }
            for span in &mut scope_spans.spans {
                for (id, length) in
                    [(&mut span.trace_id, 16), (&mut span.span_id, 8), (&mut span.parent_span_id, 8)]
                {
                    id.resize(if id.is_empty() { 0 } else { length }, 0x5f);
                }
                tellable_attributes(&mut span.attributes);
                for event in &mut span.events {
                    tellable_attributes(&mut event.attributes);
                }
                for link in &mut span.links {
                    tellable_attributes(&mut link.attributes);
                }
            }
        }
    }
    request
}

fn tellable_attributes(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        attribute.key_strindex = 0;
        attribute.value.iter_mut().for_each(tellable_value);
    }
}

fn tellable_value(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::StringValueStrindex(_)) => value.value = None,
        Some(Value::DoubleValue(number)) if number.is_nan() => *number = f64::NAN,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(tellable_value),
        Some(Value::KvlistValue(map)) => tellable_attributes(&mut map.values),
        _ => (),
    }
}

/// The request's bytes, to compare by: as a double, NaN does not equal itself.
fn bytes_of(request: &ExportTraceServiceRequest) -> Vec<u8> {
    request.encode_to_vec()
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn json_comes_out_as_the_request_that_was_written(bytes in entropy(700), whims in entropy(300)) {
        let request = tellable(&generator::request(&bytes));
        let mut choices = Choices::new(&whims);
        let text = otlp_json::write(&request, &mut |ways| choices.below(ways));
        let body = testing::transcode(text.as_bytes()).map_err(|fault| TestCaseError::fail(format!("{fault}: {text}")))?;
        prop_assert_eq!(diagnose(&body), Ok(()));
        prop_assert_eq!(bytes_of(&decode(&body)), bytes_of(&request), "{}", text);
        // The result is in the shortest form, as prost's is.
        prop_assert_eq!(body.len(), request.encoded_len(), "{}", text);
        prop_assert!(body.len() * 10 <= text.len() * 11);
    }

    #[test]
    fn json_that_is_cut_or_broken_is_a_fault_within_the_text_or_a_sound_request(
        bytes in entropy(500),
        whims in entropy(200),
        at in any::<prop::sample::Index>(),
        with in any::<Option<u8>>(),
    ) {
        let request = tellable(&generator::request(&bytes));
        let mut choices = Choices::new(&whims);
        let mut text = otlp_json::write(&request, &mut |ways| choices.below(ways)).into_bytes();
        let at = at.index(text.len());
        match with {
            Some(byte) => text[at] = byte,
            None => text.truncate(at),
        }
        match testing::transcode(&text) {
            Ok(body) => prop_assert_eq!(diagnose(&body), Ok(())),
            Err(fault) => {
                prop_assert!(fault.offset <= text.len());
                let position = fault.position.unwrap();
                let line = text[..fault.offset].iter().filter(|byte| **byte == b'\n').count();
                prop_assert_eq!(position.line as usize, line + 1);
                prop_assert!(position.column >= 1);
            }
        }
    }
}
