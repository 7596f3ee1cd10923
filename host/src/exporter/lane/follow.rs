//! Resolves the name of an upstream, again and again.

use std::fmt;
use std::iter::repeat;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Uri;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use super::pool::Pool;
use crate::network::Untold;

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

impl Name {
    /// Host and port, an IPv6 address in brackets.
    pub(super) fn authority(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
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
        let mut interval = network.interval;
        match resolved {
            Ok(sockets) => {
                let located = locate(&pool, &sockets).await;
                let local = located.as_deref().unwrap_or_default().iter().copied().chain(repeat(false));
                let sockets = sockets.into_iter().zip(local).collect();
                pool.resolved(lane, &name, begun, Ok(sockets));
                match located {
                    Ok(_) => pool.untold(lane, &name, None),
                    Err(Untold::Yet) => interval = interval.min(network.pause),
                    Err(Untold::Why(why)) => pool.untold(lane, &name, Some(&why)),
                }
            }
            Err(error) => pool.resolved(lane, &name, begun, Err(error)),
        }
        tokio::select! {
            () = sleep(interval) => (),
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

/// For each of `sockets` whether it is on this node, where that counts.
async fn locate(pool: &Pool, sockets: &[SocketAddr]) -> Result<Vec<bool>, Untold> {
    if !pool.settings.prefers_local_node {
        return Ok(vec![false; sockets.len()]);
    }
    let nodes = pool.network.nodes.clone();
    let nodes = nodes.ok_or_else(|| Untold::Why("no pods are known (podstamp.pods)".to_owned()))?;
    let addresses: Vec<_> = sockets.iter().map(SocketAddr::ip).collect();
    // A task that is gone has told nothing; it is asked again.
    spawn_blocking(move || nodes.local(&addresses)).await.unwrap_or(Err(Untold::Yet))
}

/// Waits for the pool to be closed.
async fn closed(pool: &Pool, asked: &Notify) {
    while !pool.is_closed() {
        asked.notified().await;
    }
}
