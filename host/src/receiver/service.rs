//! One request, from its head to its response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use http::request::Parts;
use http::{Method, Request, Response, Version};
use hyper::body;
use podstamp_core::hosting::frame;
use podstamp_core::interface::Signal;
use podstamp_core::interface::{Answer, Encoding, Header};
use tokio::time;

use super::body::collect;
use super::client::Client;
use super::coding::{Coding, Decoded};
use super::cors::Cors;
use super::discard::discard;
use super::origin::Origin;
use super::refusal::{Protocol, Refusal};
use super::response::{self, Body};
use super::{Receiver, Shared, encoding, grpc, health};
use crate::observe::{Fate, Metrics};
use crate::sandbox::{ReceivedRequest, clock};

/// Answers one request.
pub(super) async fn handle(
    receiver: Arc<Receiver>,
    client: &Client,
    request: Request<body::Incoming>,
) -> Response<Body> {
    let Receiver { shared, access, .. } = &*receiver;
    let encoding = encoding::encoding(request.version(), request.headers());
    let cors = access.cors.as_ref().filter(|_| encoding != Encoding::Grpc);
    if let Some(cors) = cors
        && Cors::is_preflight(request.method(), request.headers())
    {
        let (head, _) = request.into_parts();
        let response = cors.preflight(&head.headers);
        if !response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            let origin = Origin::new(encoding, client.address(), &receiver.listener.address, &head);
            refused(shared, &Refusal::Page, &origin);
        }
        return response.map(Body::Left);
    }
    if encoding == Encoding::Grpc && request.uri().path().starts_with(health::PATH) {
        return shared.health.answer(request).await.map(Body::Right);
    }
    let pending = Pending { metrics: &shared.metrics, begun: Instant::now(), status: None };
    let (head, mut body) = request.into_parts();
    let origin = Origin::new(encoding, client.address(), &receiver.listener.address, &head);
    let (answer, done) = match take(&receiver, &head, &mut body, client, encoding).await {
        Ok(answer) => {
            if let Some(notice) = &answer.notice {
                // The origin is left out where the upstream is at fault.
                match Fate::of(answer.status) {
                    Fate::Accepted | Fate::Refused => shared.notices.emit_of(notice, &origin),
                    Fate::Failed | Fate::Cancelled => shared.notices.emit(notice),
                }
            }
            (answer, true)
        }
        Err(refusal) => {
            refused(shared, &refusal, &origin);
            // Over HTTP/2 the body ends with its stream.
            let whole = head.version == Version::HTTP_2 || refusal.leaves_body();
            // A client that waits for `100 Continue` has not sent the body yet and will not.
            if whole && head.version != Version::HTTP_2 && !head.headers.contains_key(http::header::EXPECT) {
                discard(body, shared.limits.body);
            }
            (refusal.answer(encoding), whole)
        }
    };
    pending.answered(answer.status);
    let mut response = encoding::answered(answer, encoding);
    if let Some(cors) = cors {
        cors.decorate(&head.headers, response.headers_mut());
    }
    if done { response } else { response::closing(response) }
}

/// Counts a refusal, and tells the operator.
fn refused(shared: &Shared, refusal: &Refusal, origin: &Origin<'_>) {
    shared.metrics.refused(refusal.reason());
    if let Some(limited) = refusal.limited() {
        shared.metrics.limited(limited);
    }
    if let Some((key, advice)) = refusal.advice() {
        shared.notices.warn(key, || format!("a request was refused: {refusal} ({origin}); {advice}"));
    }
}

async fn take(
    receiver: &Receiver,
    head: &Parts,
    body: &mut body::Incoming,
    client: &Client,
    encoding: Encoding,
) -> Result<Answer, Refusal> {
    // A gRPC client says how long it waits; the answer's way back takes some of that.
    let patience = (encoding == Encoding::Grpc).then(|| grpc::timeout(&head.headers)).flatten();
    let until = patience.map(|patience| time::Instant::now() + patience.mul_f64(0.9));
    let Receiver { shared, .. } = receiver;
    let limits = &shared.limits;
    let (signal, framing) = Framing::of(receiver, head, encoding)?;
    let authenticator =
        if encoding == Encoding::Grpc { &receiver.access.grpc } else { &receiver.access.http };
    if let Some(authenticator) = authenticator {
        let shown = authenticator.check(&head.headers).await;
        shown.map_err(|error| Refusal::Unauthenticated(error, authenticator.challenge()))?;
    }
    if shared.lacks_memory() {
        return Err(Refusal::Memory);
    }
    if shared.lacks_pods() {
        return Err(Refusal::NoPods);
    }
    let headers = headers(shared, head);
    let peer = client.speaking_for(shared, &headers);
    let mut slot = shared.admission.arrive(&peer).map_err(Refusal::Full)?;
    let wire = match framing {
        Framing::None { limit, .. } => collect(body, limit, &mut slot, limits, |_| None).await?,
        Framing::Grpc { limit } => {
            collect(body, limit + frame::PREFIX, &mut slot, limits, frame::length).await?
        }
    };
    slot.enter().map_err(Refusal::Full)?;
    let received = wire.len();
    let (coded, coding, limit) = match framing {
        Framing::None { coding, limit } => (wire, coding, limit),
        Framing::Grpc { limit } => {
            let (message, coding) = grpc::unframe(&wire, &head.headers)?;
            (message, coding, limit)
        }
    };
    // The slot is held until the answer is there.
    let (Decoded { body, gzip }, _slot) = coding.decode(coded, limit, slot, &shared.decoder).await?;
    shared.metrics.received(received, body.len());
    let (path, now) = (head.uri.path().to_owned(), clock::now());
    let incoming = ReceivedRequest { signal, path, peer: client.address(), headers, body, now, gzip };
    shared.relay.handle(peer.address(), incoming, until).await.map_err(Refusal::Filter)
}

/// The framing around the export request in a body, and the limit of the request without it.
#[derive(Clone, Copy)]
enum Framing {
    None { coding: Coding, limit: usize },
    Grpc { limit: usize },
}

impl Framing {
    fn of(receiver: &Receiver, head: &Parts, encoding: Encoding) -> Result<(Signal, Self), Refusal> {
        let Receiver { shared, listener, .. } = receiver;
        // RFC 9112, section 3.2: a proxy may have gone by one of them, and podstamp by the other.
        if head.headers.get_all(http::header::HOST).iter().nth(1).is_some() {
            return Err(Refusal::Hosts);
        }
        let limit = |own: Option<usize>| own.unwrap_or(usize::MAX).min(shared.limits.body);
        if encoding == Encoding::Grpc {
            let here = "use OTLP/HTTP, or receivers.otlp.protocols.grpc's endpoint";
            let terms = listener.over_grpc().ok_or(Refusal::NotHere(Protocol::Grpc, here))?;
            return match Signal::ALL.into_iter().find(|signal| head.uri.path() == signal.grpc_path()) {
                Some(signal) if !shared.takes(signal) => Err(shared.not_carried(signal)),
                Some(signal) if head.method == Method::POST => {
                    Ok((signal, Self::Grpc { limit: limit(terms.body) }))
                }
                _ => Err(Refusal::NoSuchService),
            };
        }
        if grpc::is_grpc(&head.headers) {
            return Err(Refusal::OldHttp);
        }
        let here = "use OTLP/gRPC, or receivers.otlp.protocols.http's endpoint";
        let terms = listener.over_http().ok_or(Refusal::NotHere(Protocol::Http, here))?;
        let asked = head.uri.path();
        let Some(signal) = shared.signal_at(asked) else {
            return Err(match Signal::at(asked) {
                Some(signal) if !shared.takes(signal) => shared.not_carried(signal),
                _ => Refusal::NoSuchPath(shared.paths.iter().flatten().next().cloned().unwrap_or_default()),
            });
        };
        if head.method != Method::POST {
            let is_page = Cors::is_preflight(&head.method, &head.headers);
            return Err(if is_page { Refusal::Page } else { Refusal::Method });
        }
        Ok((signal, Self::None { coding: Coding::of(&head.headers)?, limit: limit(terms.body) }))
    }
}

/// The headers that the filter reads.
fn headers(shared: &Shared, head: &Parts) -> Vec<Header> {
    let mut headers = Vec::with_capacity(shared.headers.len());
    for name in &shared.headers {
        for value in head.headers.get_all(name) {
            headers.push(Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() });
        }
    }
    headers
}

/// Counts how a request ended, also where the client goes away and this is only dropped.
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
