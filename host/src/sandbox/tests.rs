use std::time::Instant;

use podstamp_core::directory::{Details, Lookup, Pod, Term};
use podstamp_core::interface::{Examination, Header, Signal, Verdict};
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
