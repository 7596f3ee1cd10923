//! Questions to the admin listener of a podstamp.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use podstamp_core::config::BRACKETS;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::exchange::in_brackets;
use crate::exit::{Exit, Failed};

/// The admin listener of a podstamp.
#[derive(Debug)]
pub(super) struct Admin {
    url: String,
    host: String,
    port: u16,
}

impl Admin {
    /// The listener at a URL, of which `http://` may be left out.
    pub(super) fn new(url: &str) -> Result<Self, Failed> {
        let usage = |message| Failed::message(Exit::Usage, message);
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = full.parse().map_err(|error| match in_brackets(&full) {
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
            url: full.trim_end_matches('/').to_owned(),
            host,
            port: uri.port_u16().unwrap_or(DEFAULT_PORT),
        })
    }

    /// The body of the answer to GET, which is a success.
    pub(super) async fn ask(&self, path: &str) -> Result<Bytes, Failed> {
        let (status, body) = timeout(PATIENCE, self.exchange(path))
            .await
            .unwrap_or_else(|_| Err(format!("{} does not answer within {} s", self.url, PATIENCE.as_secs())))
            .map_err(|message| Failed::message(Exit::Unavailable, message))?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(body.get(..MAX_SAID).unwrap_or(&body)).trim_end().to_owned();
        let message = match status {
            StatusCode::NOT_FOUND if said.starts_with("there are no pods here") => {
                format!("the podstamp at {} knows no pods: {said}", self.url)
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
        let request = Request::builder()
            .uri(path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        connection.abort();
        let body = body.map_err(|error| format!("{}: the answer broke off: {error}", self.url))?;
        Ok((head.status, body.to_bytes()))
    }
}

/// A text as one part of a path.
pub(super) fn escape(text: &str) -> String {
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
            let failed = Admin::new(url).unwrap_err();
            assert!(failed.exit == Exit::Usage && failed.to_string().contains(word), "{url}: {failed}");
        }
    }

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        assert_eq!(escape("containerd://ab"), "containerd://ab");
        assert_eq!(escape("fd00::1"), "fd00::1");
        assert_eq!(escape("a b?c#d%ü"), "a%20b%3Fc%23d%25%C3%BC");
    }
}
