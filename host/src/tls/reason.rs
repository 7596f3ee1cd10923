//! Why TLS failed, and what to do about it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// Why a handshake with an upstream failed. `name` is the expected server, `path` the exporter's `tls` section.
pub(super) fn of_upstream(error: &io::Error, name: &str, path: &str) -> String {
    let Some(error) = rustls_error(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends the connection instead of speaking TLS".to_owned(),
            _ => error.to_string(),
        };
    };
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => format!(
                "its certificate is signed by no authority that podstamp trusts: set {path}.ca_file to that authority's"
            ),
            CertificateError::BadSignature => format!(
                "its certificate is signed by another key than that of the authority of this name that podstamp trusts: \
                 set {path}.ca_file to that authority's, or is it an old one?"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "its certificate is not for {name} ({why}): correct the URL, or set {path}.server_name_override"
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("its certificate has expired: renew it there ({why})")
            }
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate is an authority's own: make it one for a server (basicConstraints=CA:FALSE)"
                    .to_owned()
            }
            why => format!("its certificate is of no use: {why}"),
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what is there speaks no TLS: begin the URL with http://, or correct the port".to_owned()
        }
        rustls::Error::AlertReceived(alert) => of_alert(*alert, path),
        error => error.to_string(),
    }
}

/// What an upstream's alert means.
pub(super) fn of_alert(alert: AlertDescription, path: &str) -> String {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::HandshakeFailure
        | AlertDescription::BadCertificate => {
            format!(
                "the upstream refuses it ({alert:?}): if it demands a certificate, set {path}.cert_file and key_file"
            )
        }
        AlertDescription::UnknownCA | AlertDescription::CertificateUnknown => {
            format!("the upstream does not trust the certificate of {path}.cert_file ({alert:?})")
        }
        AlertDescription::ProtocolVersion => {
            format!("the upstream has no version of TLS in common with {path}.min_version and max_version")
        }
        alert => format!("the upstream refuses it ({alert:?})"),
    }
}

/// Why a handshake with a client failed.
#[derive(Debug)]
pub(crate) struct NoHandshake {
    /// Whether the client spoke no TLS at all.
    pub(crate) in_the_clear: bool,
    /// The reason, for people.
    pub(crate) why: String,
}

/// Why [`Acceptor::accept`](super::Acceptor::accept) failed. `None`: the client went away, as port probes do.
pub(crate) fn of_client(error: &io::Error) -> Option<NoHandshake> {
    let Some(error) = rustls_error(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => None,
            _ => Some(NoHandshake { in_the_clear: false, why: error.to_string() }),
        };
    };
    let invalid = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
    Some(NoHandshake { in_the_clear: *error == invalid, why: of_handshake(error) })
}

fn of_handshake(error: &rustls::Error) -> String {
    match error {
        rustls::Error::NoCertificatesPresented => {
            "it shows no certificate, which client_ca_file demands".to_owned()
        }
        rustls::Error::InvalidCertificate(why) => format!("its certificate is of no use: {why}"),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it speaks no TLS: its URL has to begin with https://".to_owned()
        }
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown),
        ) => format!("it does not trust our certificate ({alert:?})"),
        error => error.to_string(),
    }
}

/// Why the other side refused our certificate, or the lack of one, if `error` comes from that. In TLS 1.3 a server reads a
/// client's certificate only after the client has begun to send.
pub(crate) fn refusal(error: &(dyn Error + 'static), path: &str) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::AlertReceived(alert)) =
            error.downcast_ref::<io::Error>().and_then(rustls_error)
            && is_of_certificate(*alert)
        {
            return Some(format!("TLS: {}", of_alert(*alert, path)));
        }
        next = error.source();
    }
    None
}

fn is_of_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure
    )
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
