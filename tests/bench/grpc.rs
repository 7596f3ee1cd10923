//! A load generator for OTLP/gRPC: frames that are ready, a connection each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::load::Round;

/// An export request ready for the wire.
#[derive(Clone)]
pub(crate) struct Message {
    frame: Bytes,
    gzip: bool,
}

impl Message {
    pub(crate) fn new(body: &[u8], gzip: bool) -> Self {
        let mut frame = vec![u8::from(gzip)];
        frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
        frame.extend_from_slice(body);
        Self { frame: frame.into(), gzip }
    }
}

/// Sends the same request again and again on each of `connections` connections, each waiting for its answer.
pub(crate) fn run(to: SocketAddr, message: &Message, connections: usize, time: Duration) -> Round {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begin = Instant::now();
    let latencies = runtime.block_on(async {
        let clients: Vec<_> =
            (0..connections).map(|_| tokio::spawn(client(to, message.clone(), begin + time))).collect();
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.await.unwrap());
        }
        latencies
    });
    Round { seconds: begin.elapsed().as_secs_f64(), latencies }
}

async fn client(to: SocketAddr, message: Message, until: Instant) -> Vec<f64> {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let begin = Instant::now();
        let mut head = http::Request::post(format!(
            "http://{to}/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
        if message.gzip {
            head = head.header("grpc-encoding", "gzip");
        }
        requests = requests.ready().await.unwrap();
        let (answer, mut body) = requests.send_request(head.body(()).unwrap(), false).unwrap();
        body.send_data(message.frame.clone(), true).unwrap();
        let mut answer = answer.await.unwrap();
        while let Some(part) = answer.body_mut().data().await {
            let length = part.unwrap().len();
            answer.body_mut().flow_control().release_capacity(length).unwrap();
        }
        let trailers = answer.body_mut().trailers().await.unwrap();
        let status = trailers.as_ref().unwrap_or(answer.headers()).get("grpc-status").unwrap();
        assert_eq!(status, "0");
        latencies.push(begin.elapsed().as_secs_f64());
    }
    latencies
}
