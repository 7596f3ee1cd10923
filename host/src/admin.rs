//! The admin listener: metrics and health, for scrapers and probes, and the pods, for filters elsewhere.

mod coded;
mod feed;
mod inquiry;
mod listings;
mod pods;
mod reserve;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::lifecycle::{Draining, Phase, Readiness};
use crate::observe::{LostPeers, Metrics};
use inquiry::Inquiry;
use reserve::Reserve;

pub use listings::Listings;

/// What the admin listener shows.
pub(crate) struct Admin {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    listings: Arc<Listings>,
    inquiry: Inquiry,
}

impl Admin {
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
        listings: Arc<Listings>,
        lost_peers: Arc<LostPeers>,
    ) -> Self {
        let inquiry = Inquiry::new(Arc::clone(&listings), lost_peers);
        Self { metrics, readiness, listings, inquiry }
    }

    /// Answers on a thread of its own, however busy the workers are, until requests in flight are done: probes ought to see
    /// that the process drains.
    pub(crate) fn start(self, listener: TcpListener, draining: Draining) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = listener.into_std()?;
        let reserve = Reserve::new();
        std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => Arc::new(self).serve(listener, reserve, draining).await,
                    Err(error) => tracing::error!(%error, "the admin listener is of no use"),
                }
            });
            // Nobody waits any more for a listing that is being written.
            runtime.shutdown_background();
        })?;
        Ok(())
    }

    async fn serve(self: Arc<Self>, listener: TcpListener, mut reserve: Reserve, draining: Draining) {
        let mut connections = JoinSet::new();
        reserve.fill();
        loop {
            let accepted = tokio::select! {
                biased;
                () = draining.stopping() => break,
                Some(_) = connections.join_next() => {
                    reserve.fill();
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    drop(connections.spawn(Arc::clone(&self).connection(stream, draining.clone())));
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept an admin connection");
                    // Out of descriptors, most likely: the next try takes one of the reserve.
                    if !reserve.give_one() {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(draining);
        while connections.join_next().await.is_some() {}
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, mut draining: Draining) {
        let stopping = draining.clone();
        let service = service_fn(|request| {
            let (admin, stopping) = (Arc::clone(&self), stopping.clone());
            async move { Ok::<_, Infallible>(admin.answer(&request, &stopping).await) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "an admin connection broke");
                    }
                    return;
                }
                phase = draining.changed() => match phase {
                    Phase::Running => (),
                    Phase::Draining => connection.as_mut().graceful_shutdown(),
                    Phase::Abandoned => return,
                },
            }
        }
    }

    async fn answer(&self, request: &Request<Incoming>, draining: &Draining) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is possible here\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "alive\n"),
            "/readyz" => match self.readiness.missing() {
                None => text(StatusCode::OK, "ready\n"),
                Some(missing) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
            },
            "/pods" => {
                let query = request.uri().query();
                pods::answer(query, request.headers(), &self.listings, draining.stopping()).await
            }
            "/peers" => self.inquiry.peers().await,
            path => match path.strip_prefix("/pods/") {
                Some(what) => self.inquiry.explain(what, request.headers()).await,
                None => text(StatusCode::NOT_FOUND, HERE),
            },
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.encode() {
            Ok(shown) => {
                let mut response = text(StatusCode::OK, shown);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
                response
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const HERE: &str = "here are /metrics, /healthz, /readyz, /pods, /pods/WHAT and /peers\n";

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Longer than any usual scrape interval.
const IDLE_TIMEOUT: Duration = Duration::from_secs(180);
