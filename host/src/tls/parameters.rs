//! Versions, cipher suites and curves, in rustls's terms.

use std::sync::Arc;

use podstamp_core::config::{CipherSuite, Curve, Fault, Parameters, Version};
use rustls::crypto::ring::{cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

/// The cryptography that the parameters allow.
pub(super) fn provider(parameters: &Parameters) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    if !parameters.cipher_suites.is_empty() {
        let allowed: Vec<_> = parameters.cipher_suites.iter().map(|suite| self::suite(*suite)).collect();
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || allowed.contains(suite));
    }
    if !parameters.curves.is_empty() {
        provider.kx_groups = parameters.curves.iter().map(|curve| group(*curve)).collect();
    }
    Arc::new(provider)
}

/// The versions that the parameters allow.
pub(super) fn versions(parameters: &Parameters) -> Vec<&'static SupportedProtocolVersion> {
    let range = parameters.min_version..=parameters.max_version;
    let all = [(Version::Tls12, &version::TLS12), (Version::Tls13, &version::TLS13)];
    all.into_iter().filter(|(version, _)| range.contains(version)).map(|(_, version)| version).collect()
}

/// The fault of a section that rustls refuses as a whole.
pub(super) fn unusable(path: &str, error: &rustls::Error) -> Fault {
    Fault { path: path.to_owned(), message: format!("cannot be used: {error}") }
}

fn suite(suite: CipherSuite) -> SupportedCipherSuite {
    match suite {
        CipherSuite::EcdheEcdsaAes128GcmSha256 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheEcdsaAes256GcmSha384 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheEcdsaChacha20Poly1305Sha256 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        CipherSuite::EcdheRsaAes128GcmSha256 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheRsaAes256GcmSha384 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheRsaChacha20Poly1305Sha256 => {
            cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        }
    }
}

fn group(curve: Curve) -> &'static dyn SupportedKxGroup {
    match curve {
        Curve::X25519 => kx_group::X25519,
        Curve::P256 => kx_group::SECP256R1,
        Curve::P384 => kx_group::SECP384R1,
    }
}
