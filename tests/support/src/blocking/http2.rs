//! An HTTP/2 client that cuts a body into frames as it is told.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::runtime::Runtime;

use super::http::Response;
use crate::client;

/// A connection that is kept.
pub struct Http2 {
    runtime: Runtime,
    client: client::Http2,
}

impl Http2 {
    pub fn connect(to: SocketAddr) -> Self {
        let runtime = super::runtime().unwrap();
        let client = runtime.block_on(client::Http2::connect(to));
        Self { runtime, client }
    }

    /// A POST whose body comes in these frames.
    pub fn send(&self, path: &str, headers: &[(&str, &str)], frames: Vec<&[u8]>) -> Response {
        self.send_with_trailers(path, headers, frames, &[])
    }

    /// A POST whose body comes in these frames, with trailers behind them if there are any.
    pub fn send_with_trailers(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        frames: Vec<&[u8]>,
        trailers: &[(&'static str, &str)],
    ) -> Response {
        let mut frames: Vec<_> = frames.into_iter().map(Bytes::copy_from_slice).collect();
        if trailers.is_empty() {
            // The end comes by itself, as trailers do.
            frames.push(Bytes::new());
        }
        let answered = self.runtime.block_on(self.client.send(path, headers, frames, trailers));
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = answered.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        Response { status: answered.status, headers: headers.collect(), body: answered.body.into() }
    }
}
