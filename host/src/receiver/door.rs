//! What a client has to get past at a listener: TLS, authentication, and what browsers ask.

use std::sync::Arc;
use std::time::Duration;

use podstamp_core::config::Fault;

use super::auth::Gate;
use super::cors::Cors;
use crate::observe::Metrics;
use crate::settings::{Listener, Terms};
use crate::tls::Acceptor;

/// A listener's credentials and permissions, ready to be used.
#[derive(Default)]
pub(crate) struct Door {
    pub(super) tls: Option<Acceptor>,
    pub(super) http: Option<Gate>,
    pub(super) grpc: Option<Gate>,
    pub(super) cors: Option<Cors>,
}

impl Door {
    /// Reads what the settings name. Blocks while files are read.
    pub(crate) fn new(listener: &Listener, handshake_timeout: Duration) -> Result<Self, Fault> {
        let gate = |terms: Option<Terms<'_>>| terms.and_then(|terms| terms.auth).map(Gate::new).transpose();
        Ok(Self {
            tls: listener.tls.as_ref().map(|tls| Acceptor::new(tls, handshake_timeout)).transpose()?,
            http: gate(listener.over_http())?,
            grpc: gate(listener.over_grpc())?,
            cors: listener.http.as_ref().and_then(|http| http.cors.as_ref()).map(Cors::new),
        })
    }

    /// What is wrong with the files that the settings name.
    pub(crate) fn check_files(listener: &Listener) -> Option<Fault> {
        Self::new(listener, Duration::MAX).err()
    }

    /// From here on, changed files are read again.
    pub(super) fn follow(self, metrics: &Arc<Metrics>) -> Self {
        let follow = |gate: Gate| gate.follow(metrics);
        Self {
            tls: self.tls.map(|tls| tls.follow(metrics)),
            http: self.http.map(follow),
            grpc: self.grpc.map(follow),
            cors: self.cors,
        }
    }
}
