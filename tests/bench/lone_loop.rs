//! A load generator and a sink that share one thread, which is never put to sleep.
//!
//! A machine with two cores has one for podstamp and one for these. As threads of their own they would wait for each other's turns on
//! it, some milliseconds at a time, and what a request takes would be that. Here each of them goes on as soon as there is something
//! to do for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::yield_now;

use crate::load::{self, Round};
use crate::open_loop::Schedule;

/// Generator and sink. The sink answers only while there is load.
pub(crate) struct LoneLoop {
    runtime: Runtime,
    sink: SocketAddr,
}

impl LoneLoop {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let sink = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        Self { runtime, sink }
    }

    /// Where the sink listens.
    pub(crate) fn sink(&self) -> SocketAddr {
        self.sink
    }

    /// Does something else on another thread, to which the sink answers.
    pub(crate) fn during<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let worker = scope.spawn(work);
            self.runtime.block_on(async {
                while !worker.is_finished() {
                    yield_now().await;
                }
            });
            worker.join().unwrap()
        })
    }

    /// Sends as many requests as are answered.
    pub(crate) fn most(
        &self,
        to: SocketAddr,
        request: &Arc<Vec<u8>>,
        connections: usize,
        time: Duration,
    ) -> Round {
        let begin = Instant::now();
        let due = |_| std::iter::from_fn(move || Some(Instant::now()).filter(|now| *now < begin + time));
        self.run(begin, to, request, connections, due)
    }

    /// Sends `rate` requests a second, which the connections share in turn. A request's time counts from when it was due, as in
    /// [`crate::open_loop`].
    pub(crate) fn at_rate(
        &self,
        rate: f64,
        to: SocketAddr,
        request: &Arc<Vec<u8>>,
        connections: usize,
        time: Duration,
    ) -> Round {
        let schedule = Schedule::new(rate, connections, time);
        self.run(schedule.begin, to, request, connections, |connection| schedule.due(connection))
    }

    fn run<D: Iterator<Item = Instant> + Send + 'static>(
        &self,
        begin: Instant,
        to: SocketAddr,
        request: &Arc<Vec<u8>>,
        connections: usize,
        due: impl Fn(usize) -> D,
    ) -> Round {
        let client = |connection| client(to, Arc::clone(request), due(connection));
        let clients: Vec<_> =
            (0..connections).map(|connection| self.runtime.spawn(client(connection))).collect();
        let latencies =
            clients.into_iter().flat_map(|client| self.runtime.block_on(client).unwrap()).collect();
        Round { seconds: begin.elapsed().as_secs_f64(), latencies }
    }
}

/// Sends requests on one connection when they are due, or once the one before has its answer; gives the seconds of each.
async fn client(to: SocketAddr, request: Arc<Vec<u8>>, due: impl Iterator<Item = Instant>) -> Vec<f64> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut answer = Vec::new();
    // A connection's first request sets it up, on both sides.
    exchange(&mut stream, &request, &mut answer).await;
    for due in due {
        while Instant::now() < due {
            yield_now().await;
        }
        exchange(&mut stream, &request, &mut answer).await;
        latencies.push(due.elapsed().as_secs_f64());
    }
    latencies
}

async fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) {
    stream.write_all(request).await.unwrap();
    let head = read_message(stream, answer).await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

/// Takes any request and answers as deepflow-agent does, without looking at it.
async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut request = Vec::with_capacity(256 << 10);
    while read_message(&mut stream, &mut request).await.is_some() {
        stream.write_all(load::ANSWER).await.unwrap();
    }
}

/// Reads a message whole; gives its first line, or `None` where there is none any more. `buffer` is reused.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = buffer.windows(4).position(|end| end == b"\r\n\r\n") {
            let (first, length) = load::read_head(&mut buffer.as_slice())?;
            let whole = at + 4 + length.known().expect("a length");
            while buffer.len() < whole {
                if stream.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            return Some(first);
        }
    }
}
