//! The authorities of the internet, as a file of PEM that TLS libraries look for.
//!
//! They are Mozilla's, in the version of a crate in Cargo.lock, and not those of the machine that packs: that one may trust
//! others, and its list changes from day to day. Authorities of a cluster's own are for `tls.ca_file`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// All certificates, one after the other.
pub(crate) fn pem() -> String {
    TLS_SERVER_ROOT_CERTS.iter().map(|certificate| encode(certificate)).collect()
}

/// RFC 7468, section 5.
fn encode(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(LINE).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines.collect::<String>())
}

/// Where Debian has it, and OpenSSL's and rustls' finders look first.
pub(crate) const PATH: &str = "etc/ssl/certs/ca-certificates.crt";

const LINE: usize = 64;
