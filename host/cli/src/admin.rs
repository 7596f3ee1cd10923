//! Questions to the admin listener of a podstamp.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use podstamp_core::config::{BRACKETS, DEFAULT_ADMIN};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::credentials::{Credentials, VARIABLE};
use crate::exchange::in_brackets;
use crate::exit::{Exit, Failed};
use crate::output::harmless;

/// Whom to ask, and how to print the answer.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The admin listener of the podstamp to ask. Credentials, where it wants some, stand in PODSTAMP_ADMIN_CREDENTIALS (USER:PASSWORD,
    /// or a token), or before the host as USER:PASSWORD@.
    #[arg(long, value_name = "URL", default_value_t = format!("http://{DEFAULT_ADMIN}"))]
    pub(crate) admin: String,
    /// For people or for programs.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// The admin listener of a podstamp.
pub(crate) struct Admin {
    /// Without credentials, so that messages may name it.
    url: String,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

impl Admin {
    /// The listener at a URL, of which `http://` may be left out.
    pub(crate) fn new(url: &str) -> Result<Self, Failed> {
        let usage = |message| Failed::message(Exit::Usage, message);
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let (url, credentials) = Credentials::of_url(&full);
        let uri: Uri = url.parse().map_err(|error| match in_brackets(&url) {
            Some(written) => usage(format!("--admin {url} is no URL: {BRACKETS}, write {written}")),
            None => usage(format!("--admin {url} is no URL: {error}")),
        })?;
        if uri.scheme_str() != Some("http") {
            return Err(usage(format!("--admin {url}: the admin listener speaks plain HTTP; write http://")));
        }
        if !matches!(uri.path(), "" | "/") {
            return Err(usage(format!("--admin {url} has a path: give no more than http://HOST:PORT")));
        }
        let host = uri.host().unwrap_or_default().to_owned();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            host,
            port: uri.port_u16().unwrap_or(DEFAULT_PORT),
            credentials: credentials.or_else(Credentials::of_environment),
        })
    }

    /// The URL, without credentials.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The body of the answer to GET, which is a success.
    pub(crate) async fn ask(&self, path: &str) -> Result<Bytes, Failed> {
        let (status, body) = timeout(PATIENCE, self.exchange(path))
            .await
            .unwrap_or_else(|_| Err(format!("{} does not answer within {} s", self.url, PATIENCE.as_secs())))
            .map_err(|message| Failed::message(Exit::Unavailable, message))?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let said = harmless(String::from_utf8_lossy(body.get(..MAX_SAID).unwrap_or(&body)).trim_end());
        let message = match status {
            StatusCode::NOT_FOUND if said.starts_with("there are no pods here") => {
                format!("the podstamp at {} knows no pods: {said}", self.url)
            }
            StatusCode::NOT_FOUND if said.contains("podstamp.admin.console") => {
                format!("the podstamp at {} has no console: {said}", self.url)
            }
            StatusCode::UNAUTHORIZED if self.credentials.is_some() => {
                format!("{} does not take these credentials: {said}", self.url)
            }
            StatusCode::UNAUTHORIZED => {
                format!(
                    "{} wants credentials: give them in {VARIABLE}, or as --admin http://USER:PASSWORD@HOST:PORT; {said}",
                    self.url
                )
            }
            StatusCode::NOT_FOUND => {
                format!("{} is no admin listener of podstamp, or of an older one: 404 {said}", self.url)
            }
            status => format!("{} answers {}: {said}", self.url, status.as_u16()),
        };
        Err(Failed::message(Exit::Unavailable, message))
    }

    async fn exchange(&self, path: &str) -> Result<(StatusCode, Bytes), String> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => format!("nobody listens at {}: {HINT}", self.url),
            _ => format!("no connection to {}: {error}", self.url),
        })?;
        let broken = |error: hyper::Error| format!("{} is no HTTP listener: {error}", self.url);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .uri(path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        if let Some(credentials) = &self.credentials {
            request.headers_mut().insert(AUTHORIZATION, credentials.header());
        }
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        connection.abort();
        let body = body.map_err(|error| format!("{}: the answer broke off: {error}", self.url))?;
        Ok((head.status, body.to_bytes()))
    }
}

/// A text as one part of a path.
pub(crate) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}

const HINT: &str = "is a podstamp there, and does its configuration have podstamp.admin? In a cluster: kubectl port-forward \
     daemonset/podstamp 8888";

const DEFAULT_PORT: u16 = 8888;

/// A person is waiting; writing 100,000 pods takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Some 300,000 pods with all their labels.
const LONGEST: usize = 256 << 20;

const MAX_SAID: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port() {
        for (url, host, port) in [
            ("http://127.0.0.1:8888", "127.0.0.1", 8888),
            ("localhost", "localhost", 8888),
            ("http://[::1]:9/", "[::1]", 9),
        ] {
            let admin = Admin::new(url).unwrap();
            assert_eq!((admin.host.as_str(), admin.port), (host, port), "{url}");
        }
        for (url, word) in [
            ("https://a:1", "plain HTTP"),
            ("http://a/pods", "path"),
            ("http://[", "no URL"),
            ("fd00::1:8888", "an IPv6 address takes brackets, write http://[fd00::1]:8888"),
        ] {
            let failed = Admin::new(url).err().unwrap();
            assert!(failed.exit == Exit::Usage && failed.to_string().contains(word), "{url}: {failed}");
        }
    }

    #[test]
    fn credentials_of_a_url_are_sent_and_never_told() {
        let admin = Admin::new("http://me:p%40ss:w@[::1]:9").unwrap();
        assert_eq!((admin.url(), admin.host.as_str(), admin.port), ("http://[::1]:9", "[::1]", 9));
        assert_eq!(admin.credentials.unwrap().header(), "Basic bWU6cEBzczp3");
        let failed = Admin::new("http://me:secret@a/x").err().unwrap().to_string();
        assert!(failed.contains("path") && !failed.contains("secret"), "{failed}");
    }

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        assert_eq!(escape("containerd://ab"), "containerd://ab");
        assert_eq!(escape("fd00::1"), "fd00::1");
        assert_eq!(escape("a b?c#d%ü"), "a%20b%3Fc%23d%25%C3%BC");
    }
}
