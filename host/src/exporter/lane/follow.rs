//! Resolves the name of an upstream, again and again.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Uri;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::pool::Pool;

/// Host and port of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    host: String,
    port: u16,
}

impl Name {
    /// Where `uri` leads.
    pub(super) fn of(uri: &Uri) -> Self {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        Self { host, port }
    }

    /// The address that the host is itself.
    pub(super) fn literal(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse::<IpAddr>().ok()?, self.port))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)
    }
}

/// Keeps the addresses of a lane as `name` has them, until the pool is closed: asks again after a while, and soon where `asked`
/// says that a connection has failed or ended.
pub(super) async fn follow(pool: Arc<Pool>, lane: usize, name: Name, asked: Arc<Notify>) {
    while !pool.is_closed() {
        let begun = Instant::now();
        let network = &pool.network;
        let resolved = tokio::select! {
            resolved = network.resolver.resolve(&name.host, name.port) => resolved,
            () = closed(&pool, &asked) => return,
        };
        pool.resolved(lane, &name, begun, resolved);
        tokio::select! {
            () = sleep(network.interval) => (),
            () = asked.notified() => (),
        }
        // Where there is no address at all, requests wait for the answer.
        if pool.has_addresses(lane) && !pool.is_closed() {
            tokio::select! {
                () = sleep_until(begun + network.pause) => (),
                () = closed(&pool, &asked) => return,
            }
        }
    }
}

/// Waits for the pool to be closed.
async fn closed(pool: &Pool, asked: &Notify) {
    while !pool.is_closed() {
        asked.notified().await;
    }
}
