//! TLS towards the upstream.

use std::sync::Arc;
use std::time::Duration;

use podstamp_core::config::{ClientTls, Fault};
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::parameters::{provider, unusable, versions};
use super::{pem, reason};
use crate::files::Reloading;
use crate::observe::Metrics;

/// The client's side of TLS, for one exporter.
#[derive(Debug)]
pub(crate) struct Client {
    config: Reloading<ClientConfig>,
    /// The `tls` section of the exporter.
    path: String,
    server_name: Option<String>,
}

/// Why a connection has no TLS.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {0}")]
pub(crate) struct NoTls(pub(super) String);

impl Client {
    /// Loads what a `tls` section names. Blocks while files are read.
    pub(crate) fn new(settings: &ClientTls) -> Result<Self, Fault> {
        let identity = settings.identity.as_ref();
        let identity = identity.into_iter().flat_map(|it| [&it.certificates, &it.private_key]);
        let interval = Duration::from_millis(settings.parameters.reload_interval.into());
        let made = settings.clone();
        let config =
            Reloading::new(&settings.path, identity.chain(&settings.ca), interval, move || config(&made))?;
        Ok(Self { config, path: settings.path.clone(), server_name: settings.server_name.clone() })
    }

    /// Watches the files from now on. Needs a runtime.
    pub(crate) fn watch_files(self, metrics: &Arc<Metrics>) -> Self {
        Self { config: self.config.watch_files(metrics), ..self }
    }

    /// The `tls` section of the exporter.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Does the handshake with the server at `host`, the one of the URL.
    pub(super) async fn connect<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, NoTls>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| NoTls(format!("{name} is no name that a certificate could be for")))?;
        let connecting = TlsConnector::from(self.config.current()).connect(server, stream);
        connecting.await.map_err(|error| NoTls(reason::of_upstream(&error, name, &self.path)))
    }
}

fn config(settings: &ClientTls) -> Result<ClientConfig, Fault> {
    let ClientTls { path, ca, system_roots, identity, skip_verify, parameters, server_name: _ } = settings;
    let provider = provider(parameters);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(parameters))
        .map_err(|error| unusable(path, &error))?;
    let builder = if *skip_verify {
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        builder.dangerous().with_custom_certificate_verifier(verifier)
    } else {
        let roots = Arc::new(pem::roots(ca.as_ref(), *system_roots, path)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        builder.with_webpki_verifier(
            verifier.map_err(|error| unusable(path, &rustls::Error::General(error.to_string())))?,
        )
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let certified = pem::certified_key(identity, &provider)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts any certificate whose key the server has: `insecure_skip_verify`.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
