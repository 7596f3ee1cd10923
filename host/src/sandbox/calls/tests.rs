use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use podstamp_core::interface::{Answer, Encoding, Report, Signal, Verdict};

use super::*;
use crate::sandbox::BodyFault;

/// Notes which calls it gets, by the first byte of their bodies, and holds each until it is let go.
struct Held {
    begun: Sender<u8>,
    go: Mutex<Receiver<()>>,
}

impl Held {
    fn hold(&self, body: &[u8]) {
        self.begun.send(body[0]).unwrap();
        self.go.lock().unwrap().recv().unwrap();
    }
}

fn answer() -> Answer {
    Answer { status: 200, headers: Vec::new(), body: Vec::new(), notice: None }
}

impl FilterRunner for Held {
    fn request_headers(&self) -> &[String] {
        &[]
    }

    fn prepare(&self, request: &ReceivedRequest) -> Result<Prepared, Failure> {
        self.hold(&request.body);
        Ok(Prepared { verdict: Verdict::Answer(answer()), report: Report::default(), notices: Vec::new() })
    }

    fn conclude(&self, _: Attempt, ended: &Ended) -> Result<Next, Failure> {
        self.hold(ended.body());
        Ok(Next::Answer(answer()))
    }

    fn diagnose(&self, _: Signal, _: &Bytes) -> Result<Option<BodyFault>, Failure> {
        Err(Failure::Busy)
    }
}

/// A body that costs too much for an async worker.
fn large(first: u8) -> Bytes {
    vec![first; INLINE + 1].into()
}

async fn prepare(calls: &Calls, peer: IpAddr, first: u8) {
    let incoming = ReceivedRequest {
        signal: Signal::Traces,
        path: String::new(),
        // The same balancer's for all.
        peer: Some([10, 0, 0, 9].into()),
        headers: Vec::new(),
        body: large(first),
        now: None,
        gzip: None,
    };
    calls.prepare(peer, incoming).await.unwrap();
}

async fn conclude(calls: &Calls, peer: IpAddr, first: u8) {
    let attempt = Attempt {
        patience: u32::MAX,
        delivered: 0,
        signal: Signal::Traces,
        upstream: 0,
        encoding: Encoding::Protobuf,
        number: 1,
        elapsed: 0,
        random: 0,
    };
    calls.conclude(peer, attempt, Ended::Closed(large(first))).await.unwrap();
}

#[tokio::test]
async fn a_peer_waits_behind_one_call_of_another_and_not_behind_all_of_them() {
    let ((begun, order), (release, go)) = (channel(), channel());
    let filter = Arc::new(Held { begun, go: Mutex::new(go) });
    let calls = Arc::new(Calls::new(filter, Threads::new(1), Arc::default(), Arc::default()));
    let [busy, other] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
    let mut running = Vec::new();
    for (number, peer) in [busy, busy, busy, other].into_iter().enumerate() {
        let calls = Arc::clone(&calls);
        running.push(tokio::spawn(async move {
            // The diagnosis of a body takes longer than anything else.
            if number % 2 == 0 {
                conclude(&calls, peer, number as u8).await;
            } else {
                prepare(&calls, peer, number as u8).await;
            }
        }));
        // On one thread, each is where it waits before the next one comes.
        tokio::task::yield_now().await;
    }
    for _ in 0..4 {
        release.send(()).unwrap();
    }
    for call in running {
        call.await.unwrap();
    }
    assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 3, 1, 2]);
}
