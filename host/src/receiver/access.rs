//! What a listener asks of clients: TLS, authentication, and CORS of browsers.

use std::sync::Arc;
use std::time::Duration;

use podstamp_core::config::Fault;

use super::auth::Authenticator;
use super::cors::Cors;
use crate::observe::Metrics;
use crate::settings::{Listener, Terms};
use crate::tls::Acceptor;

/// A listener's credentials and permissions, ready to be used.
#[derive(Default)]
pub(crate) struct ListenerAccess {
    pub(super) tls: Option<Acceptor>,
    pub(super) http: Option<Authenticator>,
    pub(super) grpc: Option<Authenticator>,
    pub(super) cors: Option<Cors>,
}

impl ListenerAccess {
    /// Loads what the settings name. Blocks while files are read.
    pub(crate) fn new(listener: &Listener, handshake_timeout: Duration) -> Result<Self, Fault> {
        let authenticator =
            |terms: Option<Terms<'_>>| terms.and_then(|terms| terms.auth).map(Authenticator::new).transpose();
        Ok(Self {
            tls: listener.tls.as_ref().map(|tls| Acceptor::new(tls, handshake_timeout)).transpose()?,
            http: authenticator(listener.over_http())?,
            grpc: authenticator(listener.over_grpc())?,
            cors: listener.http.as_ref().and_then(|http| http.cors.as_ref()).map(Cors::new),
        })
    }

    /// The fault of the files that the settings name.
    pub(crate) fn check_files(listener: &Listener) -> Option<Fault> {
        Self::new(listener, Duration::MAX).err()
    }

    /// Watches the files from now on. Needs a runtime.
    pub(super) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        let watch_files = |authenticator: Authenticator| authenticator.watch_files(metrics);
        Self {
            tls: self.tls.map(|tls| tls.watch_files(metrics)),
            http: self.http.map(watch_files),
            grpc: self.grpc.map(watch_files),
            cors: self.cors,
        }
    }
}
