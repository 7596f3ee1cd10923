//! One connection of a client.

use std::convert::Infallible;
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::astray::Astray;
use super::client::Client;
use super::idle::{Advice, IdleLimits, IdleObserver, IdleTracker, MOMENT};
use super::response::closing;
use super::{Receiver, proxy, service};
use crate::lifecycle::{Draining, Phase};
use crate::observe::{Limited, Observed};
use crate::settings::Grpc;
use crate::tls;

/// Serves a connection to its end.
pub(super) async fn open(receiver: Arc<Receiver>, mut stream: TcpStream, draining: Draining) {
    let opened = Instant::now();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let peer = stream.peer_addr().ok().map(|address| address.ip().to_canonical());
    let Some(client) = admit(&receiver, peer, &draining) else { return };
    let introduced = {
        let introducing = introduce(&receiver, &mut stream, peer);
        tokio::select! {
            biased;
            introduced = introducing => introduced,
            () = too_late(&draining, opened) => return,
        }
    };
    let client = match introduced {
        Ok(introduced) if introduced == peer => client,
        Ok(introduced) => match admit(&receiver, introduced, &draining) {
            Some(client) => client,
            None => return,
        },
        Err(error) => return complain(&receiver, peer, Astray::unintroduced(&error), &error),
    };
    let Some(tls) = &receiver.access.tls else {
        return serve(receiver, stream, client, draining).await;
    };
    let accepted = tokio::select! {
        biased;
        accepted = tls.accept(stream) => accepted,
        () = too_late(&draining, opened) => return,
    };
    match accepted {
        Ok(stream) => serve(receiver, stream, client, draining).await,
        Err(error) => {
            let astray = tls::of_client(&error).map(Astray::without_tls);
            complain(&receiver, client.address(), astray, &error);
        }
    }
}

/// The client of a connection that counts for `peer`; `None` where that has as many connections as it may.
fn admit(receiver: &Receiver, peer: Option<IpAddr>, draining: &Draining) -> Option<Client> {
    let shared = &receiver.shared;
    // The last connections are promised an answer, and none comes after them.
    if draining.is_stopping() {
        return Some(Client::uncounted(shared, peer));
    }
    let client = Client::new(shared, peer);
    if client.is_none() {
        shared.metrics.limited(Limited::PerPeer);
        receiver.turned_away(peer, &Astray::too_many());
    }
    client
}

/// Ends when the server stops and the connection has had a moment to begin a request.
async fn too_late(draining: &Draining, opened: Instant) {
    draining.stopping().await;
    sleep_until(opened + MOMENT).await;
}

/// The address that a connection counts for: its peer's, or the one that a trusted proxy's PROXY header names.
async fn introduce(
    receiver: &Receiver,
    stream: &mut TcpStream,
    peer: Option<IpAddr>,
) -> io::Result<Option<IpAddr>> {
    let is_proxy = |peer| receiver.listener.proxies.iter().any(|proxies| proxies.contains(&peer));
    if !peer.is_some_and(is_proxy) {
        return Ok(peer);
    }
    let limit = receiver.shared.limits.header_timeout;
    let late = |_| {
        let text = format!("no PROXY header within {} s", limit.as_secs_f32());
        io::Error::new(io::ErrorKind::TimedOut, text)
    };
    let named = timeout(limit, proxy::read_header(stream)).await.map_err(late)??;
    Ok(named.map(|client| client.to_canonical()).or(peer))
}

async fn serve<S>(receiver: Arc<Receiver>, stream: S, client: Client, mut draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tracker = Arc::new(IdleTracker::new());
    let _open = receiver.shared.connections.register(&tracker);
    let grpc = receiver.listener.grpc.clone().unwrap_or_default();
    let limits = &receiver.shared.limits;
    let limits = IdleLimits {
        head: limits.header_timeout,
        idle: limits.idle_timeout,
        idle_http2: grpc.idle.unwrap_or(limits.idle_timeout),
    };
    let client = Arc::new(client);
    let told = draining.clone();
    let service = service_fn(|request: Request<Incoming>| {
        let (receiver, client, told) = (Arc::clone(&receiver), Arc::clone(&client), told.clone());
        let counted = CountedRequest::new(&tracker);
        async move {
            let is_http1 = request.version() < Version::HTTP_2;
            let response = service::handle(receiver, &client, request).await;
            drop(counted);
            // Where the answer and the order to stop come at once, the loop below hears of the order too late for this header.
            let response = if is_http1 && told.is_stopping() { closing(response) } else { response };
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(&grpc);
    let stream = TokioIo::new(Observed::new(stream, IdleObserver::new(Arc::clone(&tracker))));
    let mut connection = pin!(builder.serve_connection(stream, service));
    let mut watchdog = pin!(sleep(limits.head));
    let mut retirement = pin!(sleep(grpc.age.map_or(FOREVER, spread)));
    let mut retired = false;
    // A request that was on its way when the server was told to stop is taken: for a moment, which ends with the first one.
    let mut last_moment = pin!(sleep(MOMENT));
    let mut hesitates = false;
    loop {
        tokio::select! {
            biased;
            served = connection.as_mut() => {
                if let Err(error) = served {
                    let astray = Astray::of(&*error, tracker.opening());
                    complain(&receiver, client.address(), astray, &error);
                }
                return;
            }
            phase = draining.changed() => match phase {
                Phase::Running => (),
                Phase::Draining if tracker.has_begun() => connection.as_mut().graceful_shutdown(),
                Phase::Draining => hesitates = true,
                Phase::Abandoned => return,
            },
            () = last_moment.as_mut(), if hesitates => {
                hesitates = false;
                connection.as_mut().graceful_shutdown();
            }
            () = tracker.begun(), if hesitates => {
                hesitates = false;
                connection.as_mut().graceful_shutdown();
            }
            () = retirement.as_mut() => {
                if retired {
                    return;
                }
                retired = true;
                connection.as_mut().graceful_shutdown();
                retirement.as_mut().reset(Instant::now() + grpc.age_grace);
            }
            () = watchdog.as_mut() => match tracker.advice(&limits) {
                Advice::Wait(wait) => watchdog.as_mut().reset(Instant::now() + wait),
                Advice::Idle if may_say_goodbye(&tracker, retired) => {
                    retired = true;
                    connection.as_mut().graceful_shutdown();
                    retirement.as_mut().reset(Instant::now() + GOODBYE);
                    watchdog.as_mut().reset(Instant::now() + FOREVER);
                }
                Advice::Idle => return,
                Advice::SlowHead => {
                    receiver.shared.metrics.limited(Limited::HeaderTimeout);
                    let astray = Astray::slow_head(limits.head, tracker.opening());
                    return receiver.turned_away(client.address(), &astray);
                }
            },
            () = tracker.asked_to_go() => match tracker.idle() {
                None => (),
                Some(_) if may_say_goodbye(&tracker, retired) => {
                    retired = true;
                    connection.as_mut().graceful_shutdown();
                    retirement.as_mut().reset(Instant::now() + GOODBYE);
                }
                Some(_) => return,
            },
        }
    }
}

/// Tells the operator why a connection brought no request; only on the level debug where nothing can be done about it.
fn complain(receiver: &Receiver, peer: Option<IpAddr>, astray: Option<Astray>, error: &dyn Display) {
    match astray {
        Some(astray) => receiver.turned_away(peer, &astray),
        None => tracing::debug!(?peer, %error, "a connection broke"),
    }
}

/// Whether to send GOAWAY before closing: what a client over HTTP/2 begins meanwhile, it repeats elsewhere.
fn may_say_goodbye(tracker: &IdleTracker, retired: bool) -> bool {
    tracker.is_http2() && !retired
}

fn builder(grpc: &Grpc) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_buf_size(HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(grpc.concurrent_streams)
        .keep_alive_interval(grpc.ping_interval)
        .keep_alive_timeout(grpc.ping_timeout)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(HEADERS);
    builder
}

/// Counts a request as long as it is handled. Dropped where the client goes away.
struct CountedRequest(Arc<IdleTracker>);

impl CountedRequest {
    fn new(tracker: &Arc<IdleTracker>) -> Self {
        tracker.request_begins();
        Self(Arc::clone(tracker))
    }
}

impl Drop for CountedRequest {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

/// The age, give or take a tenth, so that clients who connected together do not all reconnect together.
fn spread(age: Duration) -> Duration {
    age.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// What a client may send ahead of being read: a usual body whole, so that it never waits for a window.
const STREAM_WINDOW: u32 = 1 << 20;

/// The same for all requests of a connection.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Larger frames, fewer copies: a usual body in a few.
const FRAME: u32 = 256 << 10;

/// The limit of a request's headers, bytes. Exporters send some hundred.
const HEADERS: u32 = 64 << 10;

/// How long a client has to see that it should go.
const GOODBYE: Duration = Duration::from_secs(5);

/// As good as never: tokio's clock does not reach much further.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
