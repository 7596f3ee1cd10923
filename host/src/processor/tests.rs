use std::time::Instant;

use podstamp_core::directory::{Details, Lookup, Term};
use podstamp_core::exchange::Verdict;

use super::*;

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
fn processor(directory: Slow) -> Processor {
    let guest = Guest::compile(Guest::embedded(), LIMITS).unwrap();
    let document = podstamp_core::config::DEFAULT_DOCUMENT.to_owned();
    Processor::new(&guest, document, Arc::new(directory)).unwrap()
}

#[test]
fn a_call_that_waits_for_a_processor_is_not_ended() {
    let processor = processor(Slow(6 * LIMITS.timeout));
    // ResourceSpans { ScopeSpans { Span {} } }
    let body = Bytes::from_static(b"\x0a\x04\x12\x02\x12\x00");
    let request = Incoming {
        path: "/v1/traces".to_owned(),
        peer: Some([10, 1, 2, 3].into()),
        headers: vec![podstamp_core::exchange::Header::new("content-type", "application/x-protobuf")],
        body,
        now: None,
        gzip: None,
    };
    let begun = Instant::now();
    let verdict = processor.prepare(&request).unwrap().verdict;
    assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    assert!(begun.elapsed() > LIMITS.timeout, "it did not wait");
}
