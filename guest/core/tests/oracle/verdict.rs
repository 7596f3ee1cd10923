//! Tests of which bodies are accepted: the diagnosis against prost, the walk against the diagnosis.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp_core::fault::{BodyFault, FaultKind};
use podstamp_core::testing::{Checks, Value, diagnose, walk};
use proptest::prelude::*;
use prost::Message;

use crate::broken::mutated;
use crate::{config, entropy, generator};

/// Checks all properties that any body must have, broken or not.
fn judge(body: &[u8]) -> Result<(), TestCaseError> {
    let diagnosed = diagnose(body);
    match (&diagnosed, ExportTraceServiceRequest::decode(body)) {
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => (),
        // The diagnosis is stricter than prost, as protobuf now asks.
        (Err(fault), Ok(_)) => prop_assert_eq!(fault.kind, FaultKind::Tag, "prost accepts"),
        // prost knows two fields that are there for profiles only. deepflow-agent does not, and neither does the core.
        (Ok(()), Err(error)) => {
            let error = error.to_string();
            let profiles = error.contains("key_strindex")
                || error.contains("message: AnyValue.value:") && error.ends_with("(expected Varint)");
            prop_assert!(profiles, "only prost refuses: {error}");
        }
    }
    in_the_body(&diagnosed, body)?;

    let untouched = walk(body, &Checks::NONE, |_| ());
    in_the_body(&untouched, body)?;
    prop_assert!(untouched.is_ok() || diagnosed.is_err(), "the walk refuses what the diagnosis accepts");

    let stamp = |clear| {
        walk(body, &Checks { clear_kinds: clear, ..Checks::NONE }, |resource| {
            resource.insert("app.host.ip", Value::string("10.1.2.3"));
        })
    };
    prop_assert_eq!(untouched.is_ok(), stamp(true).is_ok());
    if let Ok(walked) = stamp(true) {
        let out = walked.edits.apply(body);
        let Some(out) = out else { return Err(TestCaseError::fail("the edits do not fit")) };
        prop_assert_eq!(diagnosed.is_ok(), diagnose(&out).is_ok(), "stamping changes the verdict");
        let again = walk(&out, &Checks::KINDS, |_| ());
        prop_assert!(again.is_ok_and(|again| again.kinds_cleared == 0 && again.edits.is_empty()));
    }
    Ok(())
}

fn in_the_body<T>(judged: &Result<T, BodyFault>, body: &[u8]) -> Result<(), TestCaseError> {
    if let Err(fault) = judged {
        prop_assert!(fault.offset < body.len(), "{fault} in {} bytes", body.len());
        prop_assert!(fault.path.is_empty() || fault.path.starts_with("resource_spans["), "{fault}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(6000))]

    #[test]
    fn generated_bodies_are_accepted(bytes in entropy(700)) {
        let body = generator::request(&bytes);
        prop_assert_eq!(diagnose(&body), Ok(()));
        judge(&body)?;
    }

    /// Property 6, in part.
    #[test]
    fn broken_bodies_are_judged_as_prost_judges_them(bytes in entropy(500), damage in entropy(40)) {
        judge(&mutated(generator::request(&bytes), &damage))?;
    }

    #[test]
    fn random_bytes_are_judged_as_prost_judges_them(body in entropy(60)) {
        judge(&body)?;
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn bodies_cut_off_anywhere_are_judged_as_prost_judges_them(bytes in entropy(300)) {
        let body = generator::request(&bytes);
        for length in 0..body.len().min(1500) {
            judge(&body[..length])?;
        }
    }

    #[test]
    fn bodies_with_one_bit_flipped_are_judged_as_prost_judges_them(bytes in entropy(120)) {
        let mut body = generator::request(&bytes);
        for bit in 0..8 * body.len().min(300) {
            body[bit / 8] ^= 1 << (bit % 8);
            judge(&body)?;
            body[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
