//! Where upstreams are: how their names become addresses, and which of these are near.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;

/// What a server is told of the network that it sends into.
#[derive(Clone, Debug)]
pub struct Network {
    /// Whoever knows the addresses of names.
    pub resolver: Arc<dyn Resolver>,
    /// Whoever knows which addresses are on this node; `None`: nobody.
    pub nodes: Option<Arc<dyn Nodes>>,
    /// How long addresses are used before their name is resolved again.
    pub interval: Duration,
    /// The shortest time between two questions for one name that has addresses, however many connections to these fail.
    pub pause: Duration,
}

impl Default for Network {
    /// The system's resolver.
    fn default() -> Self {
        Self { resolver: Arc::new(SystemResolver), nodes: None, interval: INTERVAL, pause: PAUSE }
    }
}

/// Whoever knows the addresses of names.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of `host`, each with `port`, those to prefer first. None is an error.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// The answer of a [`Resolver`].
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// The system's resolver, `getaddrinfo`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }
}

/// Whoever knows which addresses are on the node that this process runs on.
pub trait Nodes: fmt::Debug + Send + Sync {
    /// For each of `addresses` whether it is on this node. The error: that is not known of any, or none is. May block for some
    /// milliseconds.
    fn local(&self, addresses: &[IpAddr]) -> Result<Vec<bool>, Untold>;
}

/// Why nobody knows which addresses are on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// It will be known soon: the pods have not come yet.
    Yet,
    /// For this reason.
    Why(String),
}

/// The usual time that the DNS of a cluster lets its answers live.
const INTERVAL: Duration = Duration::from_secs(30);

/// A DNS server is asked no more than once a second, whatever fails.
const PAUSE: Duration = Duration::from_secs(1);
