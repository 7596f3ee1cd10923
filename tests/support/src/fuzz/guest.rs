//! What has to hold for any calls of the guest, one after the other on one instance: it gives what the core gives natively,
//! whatever it was called with before, and takes time in proportion to what it is given.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podstamp::sandbox::{Ended, FilterRunner as _, Guest, ReceivedRequest, Sandbox, Settings};
use podstamp_core::Filter;
use podstamp_core::interface::{Attempt, Encoding, Header, Outcome, Request, Signal};

use crate::fuzz::{Cluster, DOCUMENTS, Input};

/// Calls, read from any bytes: the document, and then of each how often its body is repeated, in powers of two, whether it is
/// JSON, its length in two bytes, and as many bytes of an [`Input`].
pub fn guest(data: &[u8]) {
    let Some((document, mut rest)) = data.split_first() else { return };
    PAIRS.with(|pairs| {
        let Some(pair) = pairs.get(usize::from(*document) % DOCUMENTS.len()) else { return };
        while let Some(([how, low, high], after)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
            let (input, after) = after.split_at(length);
            pair.call(*how, input);
            rest = after;
        }
    });
}

/// The core, and the guest with the same configuration and one instance.
struct Pair {
    native: Filter,
    guest: Sandbox,
}

thread_local! {
    static PAIRS: Vec<Pair> = {
        let settings = Settings {
            memory: 64 << 20,
            timeout: Duration::from_secs(3_600),
            instances: DOCUMENTS.len(),
            body: 16 << 20,
        };
        let guest = Guest::compile_metered(Guest::embedded_component(), settings).expect("it compiles");
        DOCUMENTS.iter().map(|document| Pair::new(&guest, document)).collect()
    };
}

impl Pair {
    fn new(guest: &Guest, document: &str) -> Self {
        let json = serde_json::from_str(document).expect("a document is JSON");
        let native = Filter::configure(&json).expect("a document without faults");
        let guest = Sandbox::new(guest, document.to_owned(), Arc::new(Cluster));
        Self { native, guest: guest.expect("it can be configured") }
    }

    fn call(&self, how: u8, input: &[u8]) {
        let Input { peer, mut headers, body, .. } = Input::read(input);
        // Requests concatenate.
        let times = (MAX_BODY / body.len().max(1)).min(1 << (how & 0x1f)).max(1);
        let body = Bytes::from(body.repeat(times));
        let is_json = how & 0x80 != 0;
        if is_json && let Some(content_type) = headers.first_mut() {
            *content_type = Header::new("content-type", "application/json");
        }
        let given = body.len() + headers.iter().map(|header| header.value.len() + 64).sum::<usize>();
        let incoming = ReceivedRequest {
            signal: Signal::Traces,
            path: "/v1/traces".to_owned(),
            peer,
            headers,
            body,
            now: Some(1 << 62),
            gzip: None,
        };
        let ReceivedRequest { signal, path, headers, body, now, .. } = &incoming;
        let request = Request { signal: *signal, path, peer, headers, body, now: *now };
        let expected = self.native.prepare(&request, &Cluster);
        let prepared = self.guest.prepare(&incoming).expect("the guest answers");
        assert!(prepared == expected, "{prepared:#?}\ninstead of {expected:#?}");
        self.account("prepare", given);

        let encoding = if is_json { Encoding::Json } else { Encoding::Protobuf };
        let attempt = Attempt {
            patience: u32::MAX,
            delivered: 0,
            signal: Signal::Traces,
            upstream: 0,
            encoding,
            number: 1,
            elapsed: 0,
            random: 0,
        };
        let expected = self.native.conclude(&attempt, &Outcome::Closed(body));
        let next = self.guest.conclude(attempt, &Ended::Closed(body.clone())).expect("the guest answers");
        assert!(next == expected, "{next:#?}\ninstead of {expected:#?}");
        self.account("conclude", given);
    }

    fn account(&self, call: &str, bytes: usize) {
        let fuel = self.guest.fuel();
        let most = FUEL_OF_CALL + FUEL_OF_BYTE * bytes as u64;
        assert!(fuel <= most, "{call} takes {fuel} of fuel for {bytes} bytes, over {most}");
    }
}

/// Bytes of a body, repeated.
const MAX_BODY: usize = 1 << 20;

/// Fuel that any call may take.
const FUEL_OF_CALL: u64 = 1_000_000;

/// Fuel that each byte may take besides: three times the most that the corpus shows, which small attributes under patterns take.
const FUEL_OF_BYTE: u64 = 1_500;
