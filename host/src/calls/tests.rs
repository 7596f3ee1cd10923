use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use podstamp_core::exchange::{Answer, Report, Signal, Verdict};

use super::*;
use crate::filter::BodyFault;

/// Notes whose calls it gets, and holds each until it is let go.
struct Held {
    begun: Sender<IpAddr>,
    go: Mutex<Receiver<()>>,
}

impl Filter for Held {
    fn request_headers(&self) -> &[String] {
        &[]
    }

    fn prepare(&self, request: &Incoming) -> Result<Prepared, Failure> {
        self.begun.send(request.peer.unwrap()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        let answer = Answer { status: 200, headers: Vec::new(), body: Vec::new(), notice: None };
        Ok(Prepared { verdict: Verdict::Answer(answer), report: Report::default(), notices: Vec::new() })
    }

    fn conclude(&self, _: Attempt, _: &Ended) -> Result<Next, Failure> {
        Err(Failure::Busy)
    }

    fn diagnose(&self, _: Signal, _: &Bytes) -> Result<Result<(), BodyFault>, Failure> {
        Err(Failure::Busy)
    }
}

fn large(peer: IpAddr) -> Incoming {
    Incoming {
        signal: Signal::Traces,
        path: String::new(),
        peer: Some(peer),
        headers: Vec::new(),
        body: vec![0; INLINE + 1].into(),
        now: None,
        gzip: None,
    }
}

#[tokio::test]
async fn a_peer_waits_behind_one_call_of_another_and_not_behind_all_of_them() {
    let ((begun, order), (release, go)) = (channel(), channel());
    let filter = Arc::new(Held { begun, go: Mutex::new(go) });
    let calls = Arc::new(Calls::new(filter, 1, Arc::default(), Arc::default()));
    let [busy, other] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
    let mut running = Vec::new();
    for peer in [busy, busy, busy, other] {
        let calls = Arc::clone(&calls);
        running.push(tokio::spawn(async move { calls.prepare(large(peer)).await.map(|_| ()) }));
        // On one thread, each is where it waits before the next one comes.
        tokio::task::yield_now().await;
    }
    for _ in 0..4 {
        release.send(()).unwrap();
    }
    for call in running {
        call.await.unwrap().unwrap();
    }
    assert_eq!(order.try_iter().collect::<Vec<_>>(), [busy, other, busy, busy]);
}
