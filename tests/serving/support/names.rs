//! A resolver that answers as a test says, and several upstreams on one port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use podstamp::network::{Network, Nodes, Resolver, Resolving, Untold};
use podstamp_test_support::ports::closed_port;
use podstamp_test_support::upstream::{Reaction, Request, Upstream};
use tokio::net::TcpListener;

/// Every name has these addresses; none: it cannot be resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    questions: Arc<Mutex<usize>>,
}

impl Names {
    pub(crate) fn leading_to(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let names = Self::default();
        names.move_to(addresses);
        names
    }

    /// Leads all names elsewhere from now on.
    pub(crate) fn move_to(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        *self.addresses.lock().unwrap() = addresses.into_iter().collect();
    }

    /// How often a name was asked for.
    pub(crate) fn questions(&self) -> usize {
        *self.questions.lock().unwrap()
    }

    /// A network with these names, where moves are seen at once.
    pub(crate) fn network(&self) -> Network {
        let interval = Duration::from_millis(10);
        Network { resolver: Arc::new(self.clone()), nodes: None, interval, pause: interval }
    }

    /// A network with these names, where moves are seen after a failure only.
    pub(crate) fn lasting(&self) -> Network {
        Network { interval: Duration::from_secs(3600), ..self.network() }
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move {
            *self.questions.lock().unwrap() += 1;
            let addresses = self.addresses.lock().unwrap().clone();
            assert!(addresses.iter().all(|address| address.port() == port));
            if addresses.is_empty() {
                return Err(io::Error::other("no such name"));
            }
            Ok(addresses)
        })
    }
}

/// The addresses on this node, as a test says; `None`: not known yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Here(Arc<Mutex<Option<Vec<IpAddr>>>>);

impl Here {
    pub(crate) fn are(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        *self.0.lock().unwrap() = Some(addresses.into_iter().map(|address| address.ip()).collect());
    }
}

impl Nodes for Here {
    fn local(&self, addresses: &[IpAddr]) -> Result<Vec<bool>, Untold> {
        let here = self.0.lock().unwrap().clone().ok_or(Untold::Yet)?;
        let local: Vec<_> = addresses.iter().map(|address| here.contains(address)).collect();
        if local.contains(&true) { Ok(local) } else { Err(Untold::Why("none is".to_owned())) }
    }
}

/// So many addresses of this machine with one port that nobody listens on.
pub(crate) async fn free_addresses(count: u8) -> Vec<SocketAddr> {
    loop {
        let port = closed_port().port();
        let addresses: Vec<_> =
            (1..=count).map(|last| SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port))).collect();
        let mut listeners = Vec::new();
        for address in &addresses {
            listeners.extend(TcpListener::bind(address).await);
        }
        if listeners.len() == addresses.len() {
            return addresses;
        }
    }
}

/// So many upstreams on one port, each at an address of its own.
pub(crate) async fn upstreams(
    count: u8,
    react: impl Fn(SocketAddr, usize, &Request) -> Reaction + Clone + Send + Sync + 'static,
) -> Vec<Upstream> {
    let mut upstreams = Vec::new();
    for address in free_addresses(count).await {
        let react = react.clone();
        upstreams.push(Upstream::at(address, move |number, request| react(address, number, request)).await);
    }
    upstreams
}
