//! The wire path against an oracle: prost, opentelemetry-proto's structs and naive models on them.
//!
//! Bodies are generated as wire bytes, in all forms that protobuf allows, also those that encoders never use. The tests do not
//! prove anything about the component (see `tests/cases`), or about speed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what went wrong by failing, their helpers too"
)]

mod broken;
mod choices;
mod claims;
mod depth;
mod examine;
mod faults;
mod filter;
mod generator;
mod guard;
mod json;
mod model;
mod rewrite;
mod signals;
mod skeleton;
mod values;
mod verdict;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use prost::Message;

/// Bytes from which the generators draw their choices.
fn entropy(length: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..length)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/oracle/regressions.txt"))),
        ..ProptestConfig::default()
    }
}

fn decode(body: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(body).unwrap()
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn what_is_generated_is_accepted_by_prost(bytes in entropy(700)) {
        let body = generator::request(&bytes);
        prop_assert!(ExportTraceServiceRequest::decode(&body[..]).is_ok());
    }
}

#[test]
fn what_is_generated_has_what_the_properties_are_about() {
    // This does without proptest, so that the count is the same every time.
    let mut seen = [0_u32; 6];
    for seed in 0..2000_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(600)
        .collect();
        let body = generator::request(&bytes);
        let request = decode(&body);
        let spans: Vec<_> = request
            .resource_spans
            .iter()
            .flat_map(|spans| &spans.scope_spans)
            .flat_map(|scope| &scope.spans)
            .collect();
        let pieces = skeleton::resource_pieces(&body);
        for (count, met) in seen.iter_mut().zip([
            request.resource_spans.len() > 1,
            spans.len() > 2,
            spans.iter().any(|span| !(0..=5).contains(&span.kind)),
            pieces.iter().any(Vec::is_empty),
            pieces.iter().any(|pieces| pieces.len() > 1),
            body != request.encode_to_vec(),
        ]) {
            *count += u32::from(met);
        }
    }
    assert!(seen.iter().all(|count| *count > 200), "{seen:?}");
}
