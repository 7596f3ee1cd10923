//! Certificates and keys, from PEM.

use std::sync::Arc;

use podstamp_core::config::{Fault, Identity, Source};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::files::{fault, read_source};

/// A certificate and its key, which belong together.
pub(super) fn certified_key(
    identity: &Identity,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Fault> {
    let chain = certificates(&identity.certificates)?;
    let key = private_key(&identity.private_key)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| fault(&identity.private_key, format!("holds no usable key: {error}")))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Some kinds of keys cannot be compared with a certificate.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            let certificates = identity.certificates.file().unwrap_or(&identity.certificates.path);
            Err(fault(&identity.private_key, format!("does not belong to the certificate of {certificates}")))
        }
        Err(error) => Err(fault(&identity.certificates, format!("holds no usable certificate: {error}"))),
    }
}

/// The authorities of a source and this machine's. `path` is the section that a lack of any is reported at.
pub(super) fn roots(ca: Option<&Source>, system: bool, path: &str) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    if let Some(source) = ca {
        for certificate in certificates(source)? {
            roots
                .add(certificate)
                .map_err(|error| fault(source, format!("holds no usable certificate: {error}")))?;
        }
    }
    if system {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 && ca.is_none() {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            let message = format!(
                "this machine has no certificates of authorities{why}: install ca-certificates, or set ca_file"
            );
            return Err(Fault { path: path.to_owned(), message });
        }
    }
    Ok(roots)
}

fn certificates(source: &Source) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let bytes = read_source(source)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(fault(source, "holds no certificate: PEM is expected, `-----BEGIN CERTIFICATE-----`"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(fault(source, format!("is no PEM: {}", broken(&error)))),
    }
}

fn private_key(source: &Source) -> Result<PrivateKeyDer<'static>, Fault> {
    let bytes = read_source(source)?;
    let is_encrypted = || bytes.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted() => {
            fault(source, "holds an encrypted key: decrypt it, for example by `openssl pkey`")
        }
        pem::Error::NoItemsFound => {
            fault(source, "holds no private key: PEM is expected, `-----BEGIN PRIVATE KEY-----`")
        }
        error => fault(source, format!("is no PEM: {}", broken(&error))),
    })
}

/// Why a PEM text cannot be read, without a word of it: it may be a key.
fn broken(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line",
        pem::Error::IllegalSectionStart { .. } => "a section's BEGIN line is broken",
        pem::Error::Base64Decode(_) => "a section is no base64",
        _ => "it is not readable as such",
    }
}

const ENCRYPTED: &[u8] = b"ENCRYPTED PRIVATE KEY";
