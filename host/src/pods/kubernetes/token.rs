//! The token of a file that is renewed now and then.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use kube::Client;
use kube::client::Body;
use tower_service::Service;

use crate::files::read_file;

/// A client that sends a file's token with each request.
///
/// kube's own reads the file once a minute, whatever the server says to the token, and takes a line's end for a part of
/// it.
#[derive(Clone, Debug)]
pub(super) struct WithToken {
    client: Sender,
    token: Arc<TokenFile>,
}

#[derive(Clone)]
struct Sender(Client);

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Client")
    }
}

/// A file with a token, which is read for each request: there are few of these.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    /// The header with what was read last, for when the file is gone.
    last: Mutex<HeaderValue>,
}

impl WithToken {
    /// Puts the token of a file into what `client` sends.
    pub(super) fn new(client: Client, token: TokenFile) -> Self {
        Self { client: Sender(client), token: Arc::new(token) }
    }
}

impl Service<Request<Body>> for WithToken {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Self { client: Sender(client), token } = self.clone();
        Box::pin(async move {
            request.headers_mut().insert(AUTHORIZATION, token.header());
            client.send(request).await
        })
    }
}

impl TokenFile {
    /// Reads the file. Blocks meanwhile.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let last = Mutex::new(read(&path)?);
        Ok(Self { path, last })
    }

    /// The header with the file's token; as in client-go the last one where the file cannot be read.
    fn header(&self) -> HeaderValue {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(read) = read(&self.path) {
            *last = read;
        }
        last.clone()
    }
}

fn read(path: &Path) -> io::Result<HeaderValue> {
    let unusable = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let bytes = read_file(path, MAX_TOKEN)?.ok_or_else(|| unusable("it is over 64 KiB"))?;
    let token = str::from_utf8(&bytes).map_err(|_| unusable("it is no text"))?.trim();
    if token.is_empty() {
        return Err(unusable("it is empty"));
    }
    let header = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut header = header.map_err(|_| unusable("it holds characters that no header can carry"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Bytes of a token. Servers take headers of 8 KiB to 64 KiB.
const MAX_TOKEN: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_trimmed_and_follows_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(TokenFile::open(path.clone()).is_err());
        for bad in ["", " \n", "a\nb"] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(
                TokenFile::open(path.clone()).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{bad:?}"
            );
        }
        std::fs::write(&path, "first\n").unwrap();
        let token = TokenFile::open(path.clone()).unwrap();
        assert_eq!(token.header(), "Bearer first");
        assert!(token.header().is_sensitive());
        std::fs::write(&path, "second").unwrap();
        assert_eq!(token.header(), "Bearer second");
        std::fs::write(&path, "").unwrap();
        assert_eq!(token.header(), "Bearer second", "it is being written");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(token.header(), "Bearer second");
    }
}
