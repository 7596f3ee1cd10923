//! The admin listener: metrics and health, for scrapers and probes, the pods, for filters elsewhere, and the console, for people.

mod access;
mod coded;
mod console;
mod feed;
mod inquiry;
mod listings;
mod patient;
mod pods;
mod reserve;
mod response;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::console::Console as State;
use crate::exporter::Agent;
use crate::lifecycle::{Draining, Phase, Readiness};
use crate::memory::Memory;
use crate::observe::{LostPeers, Metrics, Notices};
use access::Denied;
use console::{Console, Visit};
use inquiry::Inquiry;
use patient::Patient;
use reserve::Reserve;
use response::{Body, error, protect, text};

pub(crate) use access::Access;
pub use console::Configuration;
pub(crate) use console::ShownQueue;
pub use listings::{Listings, SourceState};

/// What the admin listener shows.
pub(crate) struct Admin {
    sources: Arc<Sources>,
    access: Access,
    inquiry: Inquiry,
    /// `None`: there is none.
    console: Option<Arc<Console>>,
}

/// Where it comes from.
pub(crate) struct Sources {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) listings: Arc<Listings>,
    pub(crate) lost_peers: Arc<LostPeers>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) memory: Memory,
    pub(crate) configuration: Arc<Configuration>,
    /// The upstreams and how their addresses do.
    pub(crate) agents: Box<dyn Fn() -> Vec<Agent> + Send + Sync>,
    /// What the console shows of requests; `None`: there is no console.
    pub(crate) console: Option<Arc<State>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sources").field("listings", &self.listings).finish_non_exhaustive()
    }
}

impl Admin {
    pub(crate) fn new(sources: Sources, access: Access) -> Self {
        let sources = Arc::new(sources);
        let inquiry = Inquiry::new(Arc::clone(&sources.listings), Arc::clone(&sources.lost_peers));
        let state = sources.console.clone();
        let console = state.map(|state| Arc::new(Console::new(Arc::clone(&sources), state)));
        Self { sources, access, inquiry, console }
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
        if let Some(console) = self.console.clone() {
            tokio::spawn(async move { console.beat().await });
        }
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
                    let is_spare = connections.len() >= MOST_CONNECTIONS;
                    let connection = Arc::clone(&self).connection(stream, is_spare, draining.clone());
                    drop(connections.spawn(connection));
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

    /// Serves a connection. One that `is_spare` is for a probe, and for no more than that.
    async fn connection(self: Arc<Self>, stream: TcpStream, is_spare: bool, mut draining: Draining) {
        let stopping = draining.clone();
        let service = service_fn(|request| {
            let (admin, stopping) = (Arc::clone(&self), stopping.clone());
            async move {
                if is_spare && !access::is_probe(request.uri().path()) {
                    return Ok::<_, Infallible>(text(StatusCode::SERVICE_UNAVAILABLE, CROWDED));
                }
                Ok(admin.answer(request, &stopping).await)
            }
        });
        let stream = TokioIo::new(Patient::new(stream, WRITE_PATIENCE));
        let mut builder = http1::Builder::new();
        let idle = if is_spare { SPARE_TIMEOUT } else { IDLE_TIMEOUT };
        builder.timer(TokioTimer::new()).header_read_timeout(idle).keep_alive(!is_spare);
        let mut connection = pin!(builder.serve_connection(stream, service));
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

    async fn answer(&self, request: Request<Incoming>, draining: &Draining) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut response = match self.access.check(&head).await {
            Err(denied) => self.turn_away(&denied, head.uri.path()),
            Ok(()) if console::is_of_console(head.uri.path()) => match &self.console {
                Some(console) => {
                    console.answer(Visit { head: &head, draining, inquiry: &self.inquiry }, body).await
                }
                None => text(StatusCode::NOT_FOUND, NO_CONSOLE),
            },
            Ok(()) if !matches!(head.method, Method::GET | Method::HEAD) => only("GET, HEAD"),
            Ok(()) => self.show(&Request::from_parts(head, ()), draining).await,
        };
        protect(&mut response);
        response
    }

    async fn show(&self, request: &Request<()>, draining: &Draining) -> Response<Body> {
        let Sources { readiness, listings, .. } = &*self.sources;
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "alive\n"),
            "/readyz" => match readiness.missing() {
                None => text(StatusCode::OK, "ready\n"),
                Some(missing) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
            },
            "/pods" => {
                let query = request.uri().query();
                pods::answer(query, request.headers(), listings, draining.stopping()).await
            }
            "/peers" => self.inquiry.peers().await,
            path => match path.strip_prefix("/pods/") {
                Some(what) => self.inquiry.explain(what, request.headers()).await,
                None => text(StatusCode::NOT_FOUND, HERE),
            },
        }
    }

    fn turn_away(&self, denied: &Denied, path: &str) -> Response<Body> {
        let mut response = match path.starts_with("/console/") {
            true => error(denied.status(), &denied.to_string()),
            false => text(denied.status(), format!("{denied}\n")),
        };
        if matches!(denied, Denied::Unauthenticated(_)) {
            for challenge in self.access.challenges() {
                response.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }

    fn metrics(&self) -> Response<Body> {
        match self.sources.metrics.encode() {
            Ok(shown) => {
                let mut response = text(StatusCode::OK, shown);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
                response
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

/// The answer to a method that a path does not know.
fn only(methods: &'static str) -> Response<Body> {
    let message =
        if methods == "POST" { "only POST is possible here\n" } else { "only GET is possible here\n" };
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, message);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

const CROWDED: &str = "too many are connected already: come again later\n";

/// As many as may wait for changes of pods, and some who scrape and look.
const MOST_CONNECTIONS: usize = feed::MAX_WAITERS + 256;

/// A probe asks at once.
const SPARE_TIMEOUT: Duration = Duration::from_secs(5);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const NO_CONSOLE: &str =
    "the console is off here: set podstamp.admin.console to true, and start podstamp again\n";

const HERE: &str = "here are /metrics, /healthz, /readyz, /pods, /pods/WHAT, /peers, and the console at /\n";

/// How long a client may take nothing of its answer. A scraper or a page that is there takes it in a moment.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Longer than any usual scrape interval.
const IDLE_TIMEOUT: Duration = Duration::from_secs(180);
