//! Metrics and logs: Resources change as in traces, and everything below them stays as it came.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use podstamp_core::diagnose_as;
use podstamp_core::fault::{BodyFault, FaultKind};
use podstamp_core::interface::Signal;
use podstamp_core::testing::{Checks, walk};
use proptest::prelude::*;
use prost::{DecodeError, Message};

use crate::broken::mutated;
use crate::generator::signals;
use crate::model::{change_model, change_view, changes, comparable};
use crate::{config, entropy};

const SIGNALS: [Signal; 2] = [Signal::Metrics, Signal::Logs];

fn generated(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    match signal {
        Signal::Metrics => signals::metrics(bytes),
        _ => signals::logs(bytes),
    }
}

/// The Resources of a request, and the bytes of everything else in it.
fn decode(signal: Signal, body: &[u8]) -> Result<(Vec<Option<Resource>>, Vec<u8>), DecodeError> {
    let mut resources = Vec::new();
    let rest = match signal {
        Signal::Metrics => {
            let mut request = ExportMetricsServiceRequest::decode(body)?;
            resources.extend(request.resource_metrics.iter_mut().map(|metrics| metrics.resource.take()));
            request.encode_to_vec()
        }
        _ => {
            let mut request = ExportLogsServiceRequest::decode(body)?;
            resources.extend(request.resource_logs.iter_mut().map(|logs| logs.resource.take()));
            request.encode_to_vec()
        }
    };
    Ok((resources, rest))
}

fn comparable_resources(resources: Vec<Option<Resource>>) -> Vec<u8> {
    let spans = resources.into_iter().map(|resource| ResourceSpans { resource, ..ResourceSpans::default() });
    comparable(ExportTraceServiceRequest { resource_spans: spans.collect() })
}

fn checks(signal: Signal) -> Checks {
    // The checks of spans must not have an effect here.
    Checks { signal, peer_family: true, long_names: true, ..Checks::KINDS }
}

/// Checks all properties that any body must have, broken or not.
fn judge(signal: Signal, body: &[u8]) -> Result<(), TestCaseError> {
    let diagnosed = diagnose_as(signal, body);
    match (&diagnosed, decode(signal, body)) {
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => (),
        (Err(fault), Ok(_)) => prop_assert_eq!(fault.kind, FaultKind::Tag, "prost accepts"),
        // As in traces, two fields are for profiles only.
        (Ok(()), Err(error)) => {
            let error = error.to_string();
            let profiles = error.contains("key_strindex")
                || error.contains("message: AnyValue.value:") && error.ends_with("(expected Varint)");
            prop_assert!(profiles, "only prost refuses: {error}");
        }
    }
    in_the_body(signal, &diagnosed, body)?;
    let walked = walk(body, &checks(signal), |_| ());
    in_the_body(signal, &walked, body)?;
    prop_assert!(walked.is_ok() || diagnosed.is_err(), "the walk refuses what the diagnosis accepts");
    Ok(())
}

fn in_the_body<T>(signal: Signal, judged: &Result<T, BodyFault>, body: &[u8]) -> Result<(), TestCaseError> {
    if let Err(fault) = judged {
        let name = if signal == Signal::Metrics { "resource_metrics[" } else { "resource_logs[" };
        prop_assert!(fault.offset < body.len(), "{fault} in {} bytes", body.len());
        prop_assert!(fault.path.is_empty() || fault.path.starts_with(name), "{fault}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn resources_of_metrics_and_logs_change_as_the_model_says_and_the_rest_stays(
        bytes in entropy(700), edits in entropy(40),
    ) {
        let changes = changes(&edits);
        for signal in SIGNALS {
            let body = generated(signal, &bytes);
            prop_assert_eq!(diagnose_as(signal, &body), Ok(()));
            let walked = walk(&body, &checks(signal), |resource| change_view(resource, &changes)).unwrap();
            let out = walked.edits.apply(&body).unwrap();
            let (mut expected, rest) = decode(signal, &body).unwrap();
            prop_assert_eq!(walked.resources as usize, expected.len());
            prop_assert_eq!((walked.spans, walked.kinds_cleared, walked.peers_renamed), (0, 0, 0));
            for resource in &mut expected {
                let mut edited = resource.clone().unwrap_or_default();
                if change_model(&mut edited, &changes) || resource.is_some() {
                    *resource = Some(edited);
                }
            }
            let (found, left) = decode(signal, &out).unwrap();
            prop_assert_eq!(comparable_resources(found), comparable_resources(expected));
            prop_assert_eq!(left, rest);
            prop_assert_eq!(walked.parts.len(), 1);
            prop_assert_eq!(walked.parts[0].end as usize, out.len());
        }
    }

    #[test]
    fn metrics_and_logs_are_judged_as_prost_judges_them(bytes in entropy(500), damage in entropy(40)) {
        for signal in SIGNALS {
            judge(signal, &mutated(generated(signal, &bytes), &damage))?;
            judge(signal, &damage)?;
        }
    }
}

#[test]
fn what_is_generated_of_metrics_has_every_kind_of_data() {
    let mut seen = [0_u32; 6];
    for seed in 0..2000_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let bytes = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        });
        let body = signals::metrics(&bytes.take(600).collect::<Vec<_>>());
        let request = format!("{:?}", ExportMetricsServiceRequest::decode(&body[..]).unwrap());
        let data = ["Gauge(", "Sum(", "Histogram(", "ExponentialHistogram(", "Summary(", "bucket_counts: [1"];
        for (count, kind) in seen.iter_mut().zip(data) {
            *count += u32::from(request.contains(kind));
        }
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}
