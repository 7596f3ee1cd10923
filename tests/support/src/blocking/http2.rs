//! An HTTP/2 client that cuts a body into frames as it is told.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderName, Request};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::http::Response;
use crate::PATIENCE;

/// A connection that is kept.
pub struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
}

impl Http2 {
    pub fn connect(to: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(to).await.expect("somebody listens");
            let (sender, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(async move { drop(connection.await) });
            sender.ready().await.unwrap()
        });
        Self { runtime, sender }
    }

    /// A POST whose body comes in these frames.
    pub fn send(&self, path: &str, headers: &[(&str, &str)], frames: Vec<&[u8]>) -> Response {
        self.send_with_trailers(path, headers, frames, &[])
    }

    /// The same with trailers, if there are any.
    pub fn send_with_trailers(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        frames: Vec<&[u8]>,
        trailers: &[(&'static str, &str)],
    ) -> Response {
        let mut request = Request::post(format!("http://podstamp{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut after = HeaderMap::new();
        for (name, value) in trailers {
            after.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let frames = frames.into_iter().map(Bytes::copy_from_slice).collect();
        let exchange = exchange(self.sender.clone(), request.body(()).unwrap(), frames, after);
        self.runtime.block_on(async { timeout(PATIENCE, exchange).await }).expect("no answer")
    }
}

async fn exchange(
    sender: SendRequest<Bytes>,
    request: Request<()>,
    frames: Vec<Bytes>,
    trailers: HeaderMap,
) -> Response {
    let mut sender = sender.ready().await.unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    // A server that has seen enough answers before it has read everything, and resets the stream.
    for frame in frames {
        drop(body.send_data(frame, false));
    }
    if trailers.is_empty() {
        drop(body.send_data(Bytes::new(), true));
    } else {
        drop(body.send_trailers(trailers));
    }
    let (head, mut data) = response.await.unwrap().into_parts();
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut response = Response { status: head.status.as_u16(), headers, body: Vec::new() };
    while let Some(part) = data.data().await {
        let part = part.unwrap();
        data.flow_control().release_capacity(part.len()).unwrap();
        response.body.extend_from_slice(&part);
    }
    response
}
