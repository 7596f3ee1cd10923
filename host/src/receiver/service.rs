//! One request: where it goes, what it carries, what it gets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body;
use podstamp_core::exchange::{Answer, Header};
use tokio::time::timeout;

use super::body::collect;
use super::coding::{Coding, Undone};
use super::discard::discard;
use super::refusal::Refusal;
use super::{Receiver, response};
use crate::filter::Incoming;
use crate::metrics::Metrics;

/// Answers one request.
pub(super) async fn handle(
    receiver: Arc<Receiver>,
    peer: Option<IpAddr>,
    request: Request<body::Incoming>,
) -> Response<Full<Bytes>> {
    let pending = Pending { metrics: &receiver.metrics, begun: Instant::now(), status: None };
    let (head, mut body) = request.into_parts();
    let response = match take(&receiver, &head, &mut body, peer).await {
        Ok(answer) => response::answered(answer),
        Err(refusal) => {
            tracing::debug!(?peer, %refusal, "refused");
            if let Some((key, limit)) = refusal.limit() {
                receiver.notices.warn(key, || format!("a request was refused: {refusal}; see {limit}"));
            }
            // Who waits for `100 Continue` has not sent the body yet and will not.
            if refusal.leaves_body() && !head.headers.contains_key(http::header::EXPECT) {
                discard(body, receiver.limits.body);
            }
            response::refused(response::encoding(&head.headers), &refusal)
        }
    };
    pending.answered(response.status().as_u16());
    response
}

async fn take(
    receiver: &Receiver,
    head: &Parts,
    body: &mut body::Incoming,
    peer: Option<IpAddr>,
) -> Result<Answer, Refusal> {
    let [path, other] = &receiver.paths;
    if head.uri.path() != path && head.uri.path() != other {
        return Err(Refusal::NoSuchPath(path.clone()));
    }
    if head.method != Method::POST {
        return Err(Refusal::Method);
    }
    let coding = Coding::of(&head.headers)?;
    let mut slot = receiver.admission.enter().ok_or(Refusal::TooManyRequests)?;
    let limits = &receiver.limits;
    let reading = timeout(limits.read_timeout, collect(body, limits.body, &mut slot));
    let coded = reading.await.unwrap_or(Err(Refusal::SlowBody(limits.read_timeout)))?;
    let wire = coded.len();
    // The slot is held until the answer is there.
    let (Undone { body, gzip }, _slot) = coding.undo(coded, limits.body, slot, &receiver.undoing).await?;
    receiver.metrics.received(wire, body.len());
    let incoming =
        Incoming { path: head.uri.path().to_owned(), peer, headers: headers(receiver, head), body, gzip };
    receiver.relay.handle(incoming).await.map_err(Refusal::Filter)
}

/// The headers that the filter reads.
fn headers(receiver: &Receiver, head: &Parts) -> Vec<Header> {
    let mut headers = Vec::with_capacity(receiver.headers.len());
    for name in &receiver.headers {
        for value in head.headers.get_all(name) {
            headers.push(Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() });
        }
    }
    headers
}

/// Counts how a request ended, also where its client goes away and this is simply dropped.
struct Pending<'a> {
    metrics: &'a Metrics,
    begun: Instant,
    status: Option<(u16, Duration)>,
}

impl Pending<'_> {
    fn answered(mut self, status: u16) {
        self.status = Some((status, self.begun.elapsed()));
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        match self.status {
            Some((status, took)) => self.metrics.answered(status, took),
            None => self.metrics.cancelled(),
        }
    }
}
