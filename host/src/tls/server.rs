//! TLS towards clients.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use podstamp_core::config::{Fault, ServerTls};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::parameters::{provider, unusable, versions};
use super::pem;
use crate::files::Reloading;
use crate::observe::Metrics;

/// The server's side of TLS, for one listener, with its current certificate.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(super) config: Reloading<ServerConfig>,
    handshake_timeout: Duration,
}

impl Acceptor {
    /// Loads what a `tls` section names. Blocks while files are read. `handshake_timeout` is how long a client's handshake
    /// may take.
    pub(crate) fn new(settings: &ServerTls, handshake_timeout: Duration) -> Result<Self, Fault> {
        let identity = &settings.identity;
        let sources = [&identity.certificates, &identity.private_key].into_iter().chain(&settings.client_ca);
        let interval = Duration::from_millis(settings.parameters.reload_interval.into());
        let made = settings.clone();
        let config = Reloading::new(&settings.path, sources, interval, move || config(&made))?;
        Ok(Self { config, handshake_timeout })
    }

    /// Watches the files from now on. Needs a runtime.
    pub(crate) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        Self { config: self.config.watch_files(metrics), ..self }
    }

    /// Does the handshake. The ALPN protocol is `h2`, `http/1.1`, or none where the client has no ALPN.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let accepting = TlsAcceptor::from(self.config.current()).accept(stream);
        timeout(self.handshake_timeout, accepting).await.unwrap_or_else(|_| {
            let message = format!("no handshake within {} s", self.handshake_timeout.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        })
    }
}

fn config(settings: &ServerTls) -> Result<ServerConfig, Fault> {
    let ServerTls { path, identity, client_ca, system_roots, parameters } = settings;
    let provider = provider(parameters);
    let certified = pem::certified_key(identity, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(parameters))
        .map_err(|error| unusable(path, &error))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(source) => {
            let roots = Arc::new(pem::roots(Some(source), *system_roots, path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(
                verifier
                    .map_err(|error| unusable(&source.path, &rustls::Error::General(error.to_string())))?,
            )
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Exporters keep their connections, so that there is little to resume, and a revoked certificate must not live on in
    // a session.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
