//! Why pods cannot be had from the API server, and what to do about it.

use std::error::Error;
use std::io;

use http::StatusCode;
use rustls::CertificateError;

use super::client::chain;
use crate::pods::source::SourceFailure as Reason;

/// Why pods cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub reason: Reason,
    /// What is wrong, for people.
    pub message: String,
    /// The HTTP status that the server gave. `None`: it gave none.
    pub status: Option<StatusCode>,
}

impl Failure {
    /// A failure without a status.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), status: None }
    }

    /// A status that the server gave, in the head of a response or in a watch, with its message.
    pub fn of_status(code: StatusCode, message: &str) -> Self {
        let reason = match code {
            StatusCode::UNAUTHORIZED => Reason::Unauthorized,
            StatusCode::FORBIDDEN => Reason::Forbidden,
            StatusCode::GONE => Reason::Expired,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Reason::Invalid,
            code if code.is_redirection() || code.is_informational() => Reason::Invalid,
            _ => Reason::Status,
        };
        let message = match message {
            "" => code.to_string(),
            message => format!("{}: {}", code.as_u16(), shortened(message)),
        };
        Self { reason, message, status: Some(code) }
    }

    /// A request that brought no response.
    pub fn of_request(error: &kube::Error) -> Self {
        let reason = match reasons(error) {
            Some(Cause::Tls(why)) => return Self::new(Reason::Tls, why),
            Some(Cause::Io(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)) => Reason::Broken,
            _ => Reason::Unreachable,
        };
        Self::new(reason, chain(error))
    }

    /// A response that broke off.
    pub fn of_body(error: &(dyn Error + 'static)) -> Self {
        Self::new(Reason::Broken, format!("the connection broke: {}", chain(error)))
    }
}

/// What lies below an error.
enum Cause {
    Tls(String),
    Io(io::ErrorKind),
}

fn reasons(error: &(dyn Error + 'static)) -> Option<Cause> {
    let mut found = None;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(Cause::Tls(tls_reason(tls)));
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = Some(Cause::Io(io.kind()));
            // It shows what it wraps, and not as its source.
            let inner = io.get_ref().map(|inner| inner as &(dyn Error + 'static));
            if let Some(cause) = inner.and_then(reasons) {
                return Some(cause);
            }
        }
        next = error.source();
    }
    found
}

fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(
            why @ (CertificateError::Expired | CertificateError::ExpiredContext { .. }),
        ) => format!("its certificate has expired, or this machine's clock is wrong ({why})"),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by another authority than the one of the service account's ca.crt, or of the \
             kubeconfig's certificate-authority: is it another cluster?"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            why @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        ) => format!("its certificate is for another name ({why}): set `tls-server-name` in the kubeconfig"),
        rustls::Error::InvalidMessage(_) => {
            "what is there speaks no TLS: correct the URL, or the port".to_owned()
        }
        error => error.to_string(),
    }
}

/// A message without line ends, and not longer than one can read.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

const MAX_MESSAGE: usize = 300;
