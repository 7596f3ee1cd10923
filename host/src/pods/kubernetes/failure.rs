//! Why pods cannot be had from the API server, and what to do about it.

use std::error::Error;
use std::io;

use http::StatusCode;
use podstamp_core::config::Selector;
use rustls::CertificateError;

use super::client::{ClientError, Connection, chain};
pub(super) use crate::pods::source::SourceFailure as Reason;

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

/// The key of a failure in the log.
pub(super) fn key(reason: Reason) -> &'static str {
    match reason {
        Reason::Config => "kubernetes-config",
        Reason::Unreachable => "kubernetes-unreachable",
        Reason::Tls => "kubernetes-tls",
        Reason::Unauthorized => "kubernetes-unauthorized",
        Reason::Forbidden => "kubernetes-forbidden",
        Reason::Expired => "kubernetes-expired",
        Reason::OtherData => "kubernetes-other-data",
        Reason::Silent => "kubernetes-silent",
        Reason::Broken => "kubernetes-broken",
        Reason::Invalid => "kubernetes-invalid",
        Reason::Status => "kubernetes-status",
    }
}

impl Failure {
    /// A failure without a status.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), status: None }
    }

    /// Whether another client may fare better: with credentials or a kubeconfig that are read again.
    pub(super) fn spoils_client(&self) -> bool {
        matches!(self.reason, Reason::Config | Reason::Unreachable | Reason::Tls | Reason::Unauthorized)
    }

    /// Whether all pods have to be listed again.
    pub(super) fn needs_list(&self) -> bool {
        matches!(self.reason, Reason::Expired | Reason::OtherData)
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

    /// The message with what to do, where that is known.
    pub(super) fn advice(&self, connection: Option<&Connection>, selector: &Selector) -> String {
        let server = connection.map_or("the Kubernetes API", |connection| connection.server.as_str());
        let identity = connection.map_or("podstamp", |connection| connection.identity.as_str());
        let message = &self.message;
        match self.reason {
            Reason::Config => message.clone(),
            Reason::Unreachable => format!("{server} cannot be reached: {message}"),
            Reason::Tls => format!("{server} cannot be trusted: {message}"),
            Reason::Unauthorized => format!(
                "{server} does not accept the credentials of {identity} ({message}): are they expired, or those of another \
                 cluster? They are read again before each try"
            ),
            Reason::Forbidden => {
                let (role, place) = match &selector.namespace {
                    Some(namespace) => ("Role", format!(" in namespace {namespace}")),
                    None => ("ClusterRole", String::new()),
                };
                format!(
                    "{server} does not let {identity} see pods ({message}): bind it to a {role}{place} with the rule \
                     {{apiGroups: [\"\"], resources: [pods], verbs: [get, list, watch]}}"
                )
            }
            Reason::Expired => {
                format!(
                    "{server} does not know any more what happened since ({message}): all pods are listed again"
                )
            }
            Reason::OtherData => {
                format!("{server} has other data than before ({message}): all pods are listed again")
            }
            Reason::Silent => format!("{server} is silent: {message}"),
            Reason::Broken => format!("{server}: {message}"),
            Reason::Invalid => format!("{server} does not answer as a Kubernetes API does: {message}"),
            Reason::Status => format!("{server} answers with an error: {message}"),
        }
    }
}

impl From<&ClientError> for Failure {
    fn from(error: &ClientError) -> Self {
        Self::new(Reason::Config, error.to_string())
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
pub(super) fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

const MAX_MESSAGE: usize = 300;
