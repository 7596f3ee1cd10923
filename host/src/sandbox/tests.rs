use std::time::Instant;

use podstamp_core::directory::{Details, Lookup, Pod, Term};
use podstamp_core::interface::{Examination, Header, Outcome, Signal, Verdict};
use serde_json::{Value, json};

use super::*;

mod memory;

const LIMITS: Settings =
    Settings { memory: 64 << 20, timeout: Duration::from_millis(50), instances: 1, body: 4 << 20 };

/// Keeps a call waiting without any work, as a container's CPU limit does.
struct Slow(Duration);

impl Directory for Slow {
    fn find(&self, _: &[Term<'_>], _: Details) -> Lookup {
        std::thread::sleep(self.0);
        Lookup::Unknown
    }
}

/// With the default document the pod is looked up by the connection.
fn sandbox(directory: Slow) -> Sandbox {
    let guest = Guest::embedded(LIMITS).unwrap();
    let document = podstamp_core::config::DEFAULT_DOCUMENT.to_owned();
    Sandbox::new(&guest, document, Arc::new(directory)).unwrap()
}

fn incoming(body: impl Into<Bytes>) -> ReceivedRequest {
    ReceivedRequest {
        signal: Signal::Traces,
        path: "/v1/traces".to_owned(),
        peer: Some([10, 1, 2, 3].into()),
        headers: vec![Header::new("content-type", "application/x-protobuf")],
        body: body.into(),
        now: None,
        gzip: None,
    }
}

#[test]
fn a_call_that_waits_for_a_processor_is_not_ended() {
    let sandbox = sandbox(Slow(6 * LIMITS.timeout));
    // ResourceSpans { ScopeSpans { Span {} } }
    let request = incoming(&b"\x0a\x04\x12\x02\x12\x00"[..]);
    let begun = Instant::now();
    let verdict = sandbox.prepare(&request).unwrap().verdict;
    assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    assert!(begun.elapsed() > LIMITS.timeout, "it did not wait");
}

/// The host answers out of a table, which must say what a call would.
#[test]
fn a_plain_success_is_answered_as_the_guest_and_the_core_would() {
    let sandbox = sandbox(Slow(Duration::ZERO));
    let core = podstamp_core::Filter::configure(
        &serde_json::from_str(podstamp_core::config::DEFAULT_DOCUMENT).unwrap(),
    )
    .unwrap();
    let typed = vec![Header::new("content-type", "application/x-protobuf")];
    let kinds = Signal::ALL.into_iter().flat_map(|signal| Encoding::ALL.map(|encoding| (signal, encoding)));
    for (signal, encoding) in kinds {
        let told = sandbox.acknowledgement(signal, encoding).unwrap().clone();
        for (status, number, upstream) in [(200, 1, 0), (202, 3, 1), (299, u32::MAX, 0)] {
            let attempt = Attempt {
                signal,
                upstream,
                encoding,
                number,
                elapsed: 7,
                patience: 0,
                delivered: number - 1,
                random: 5,
            };
            for headers in [&Vec::new(), &typed] {
                let outcome = Outcome::Response { status, headers, body: &[] };
                assert_eq!(core.conclude(&attempt, &outcome), Next::Answer(told.clone()), "{attempt:?}");
                let ended = Ended::Response { status, headers: headers.clone(), body: Bytes::new() };
                assert_eq!(sandbox.conclude(attempt, &ended), Ok(Next::Answer(told.clone())), "{attempt:?}");
            }
        }
    }
}

/// Nobody waits for an examination, and requests do for an instance.
#[test]
fn an_examination_leaves_an_instance_for_requests() {
    let request = incoming(&b"\x0a\x04\x12\x02\x12\x00"[..]);
    let options = Examination { resources: 1, ..Examination::default() };
    for (instances, in_use) in [(1, 0), (2, 0), (3, 1)] {
        let settings = Settings { instances, ..LIMITS };
        let guest = Guest::embedded(settings).unwrap();
        let document = podstamp_core::config::DEFAULT_DOCUMENT.to_owned();
        let sandbox = Sandbox::new(&guest, document, Arc::new(Slow(Duration::ZERO))).unwrap();
        let mut taken: Vec<_> = (0..in_use).map(|_| sandbox.take().unwrap()).collect();
        assert_eq!(sandbox.examine(&request, options).unwrap().resources.len(), 1, "{instances}, {in_use}");
        taken.push(sandbox.take().unwrap());
        assert_eq!(sandbox.examine(&request, options), Err(Failure::Busy), "{instances}, {in_use}");
        taken.into_iter().for_each(|instance| sandbox.give_back(Some(instance)));
        assert!(sandbox.examine(&request, options).is_ok());
    }
}
