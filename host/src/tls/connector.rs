//! Connects to upstreams, by TLS where the URL says so.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::client::{Client, NoTls};

/// Makes an exporter's connections.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Option<Arc<Client>>,
    timeout: Duration,
}

impl Connector {
    /// `connect_timeout` is for the connection and again for TLS. Without `tls`, https URLs cannot be connected to.
    pub(crate) fn new(tls: Option<Arc<Client>>, connect_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.enforce_http(false);
        Self { tcp, tls, timeout: connect_timeout }
    }

    /// Connects to `address`, one of those of the host in `uri`.
    pub(crate) async fn connect(&self, address: SocketAddr, uri: &Uri) -> Result<Stream, BoxError> {
        let late = |_| {
            let message = format!("no connection within {} s", self.timeout.as_secs_f32());
            io::Error::new(io::ErrorKind::TimedOut, message)
        };
        let tcp = timeout(self.timeout, TcpStream::connect(address)).await.map_err(late)??;
        tcp.set_nodelay(true)?;
        secure(tcp, uri, self.tls.as_deref(), self.timeout).await
    }
}

/// Any reason why a connection could not be made.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.tcp.call(uri.clone());
        let (tls, limit) = (self.tls.clone(), self.timeout);
        Box::pin(async move {
            let tcp = connecting.await?.into_inner();
            Ok(TokioIo::new(secure(tcp, &uri, tls.as_deref(), limit).await?))
        })
    }
}

/// Does the handshake of TLS, where `uri` has one.
async fn secure(
    tcp: TcpStream,
    uri: &Uri,
    tls: Option<&Client>,
    limit: Duration,
) -> Result<Stream, BoxError> {
    if uri.scheme_str() != Some("https") {
        return Ok(Stream::Plain(tcp));
    }
    let tls = tls.ok_or_else(|| NoTls("nothing says how to use it for this URL".to_owned()))?;
    let late = |_| NoTls(format!("no handshake within {} s", limit.as_secs_f32()));
    let stream = timeout(limit, tls.connect(uri.host().unwrap_or_default(), tcp)).await.map_err(late)??;
    Ok(Stream::Tls(Box::new(stream)))
}

/// A connection to an upstream.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Does the same with either kind of connection.
macro_rules! either {
    ($stream:ident => $done:expr) => {
        match $stream.get_mut() {
            Self::Plain(inner) => {
                let $stream = Pin::new(inner);
                $done
            }
            Self::Tls(inner) => {
                let $stream = Pin::new(&mut **inner);
                $done
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self;
        either!(this => this.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self;
        either!(this => this.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self;
        either!(this => this.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self;
        either!(this => this.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self;
        either!(this => this.poll_shutdown(context))
    }
}
