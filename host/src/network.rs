//! Where upstreams are: how their names become addresses.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;

/// What a server is told of the network that it sends into.
#[derive(Clone, Debug)]
pub struct Network {
    /// Whoever knows the addresses of names.
    pub resolver: Arc<dyn Resolver>,
    /// How long addresses are used before their name is resolved again.
    pub interval: Duration,
    /// The shortest time between two questions for one name that has addresses, however many connections to these fail.
    pub pause: Duration,
}

impl Default for Network {
    /// The system's resolver.
    fn default() -> Self {
        Self { resolver: Arc::new(SystemResolver), interval: INTERVAL, pause: PAUSE }
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

/// The usual time that the DNS of a cluster lets its answers live.
const INTERVAL: Duration = Duration::from_secs(30);

/// A DNS server is asked no more than once a second, whatever fails.
const PAUSE: Duration = Duration::from_secs(1);
