//! A client's connection that many services share, as they do behind a load balancer.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Connection {
    pub(super) async fn open(remote: SocketAddr) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(remote).await.with_context(|| format!("cannot connect to {remote}"))?;
        let local = stream.local_addr()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(Self { sender, local, remote })
    }

    /// Our end of it: what the server sees as the peer.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Exports, and makes sure that it was accepted. `relay` is whose connection it stands for, where that is not ours.
    pub(super) async fn post(
        &mut self,
        path: &str,
        relay: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<()> {
        let request = Request::post(path);
        let request = match relay {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        };
        let request = request
            .header(header::HOST, self.remote.to_string())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .body(Full::from(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success(),
            "{} answered {status}: {}",
            self.remote,
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }
}
