//! A load generator that sends at a fixed rate, whether answers come or not.
//!
//! A request's time counts from when it was due, so that one that had to wait for a slow answer ahead of it counts with its wait: a
//! generator that waits for answers and then measures leaves out what it did not send meanwhile (coordinated omission). The
//! generator's own lateness counts as well; the same load sent straight to the sink shows how much that is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::{Client, Round};

/// Sends `rate` requests a second, which the connections share in turn.
pub(crate) fn run(
    to: SocketAddr,
    request: &Arc<Vec<u8>>,
    rate: f64,
    connections: usize,
    time: Duration,
) -> Round {
    let schedule = Schedule::new(rate, connections, time);
    let threads: Vec<_> = (0..connections)
        .map(|connection| {
            let (request, due) = (Arc::clone(request), schedule.due(connection));
            std::thread::spawn(move || {
                let mut client = Client::connect(to);
                let latency = |due: Instant| {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    client.exchange(&request);
                    due.elapsed().as_secs_f64()
                };
                due.map(latency).collect::<Vec<_>>()
            })
        })
        .collect();
    let latencies = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    Round { seconds: schedule.begin.elapsed().as_secs_f64(), latencies }
}

/// When requests are due that connections send in turn.
pub(crate) struct Schedule {
    pub(crate) begin: Instant,
    rate: f64,
    count: usize,
    connections: usize,
}

impl Schedule {
    /// `rate` requests a second for that long.
    pub(crate) fn new(rate: f64, connections: usize, time: Duration) -> Self {
        let count = (rate * time.as_secs_f64()) as usize;
        // Connecting takes a moment.
        Self { begin: Instant::now() + Duration::from_millis(50), rate, count, connections }
    }

    /// When those of one connection are.
    pub(crate) fn due(&self, connection: usize) -> impl Iterator<Item = Instant> + Send + 'static {
        let (begin, rate) = (self.begin, self.rate);
        let numbers = (connection..self.count).step_by(self.connections);
        numbers.map(move |number| begin + Duration::from_secs_f64(number as f64 / rate))
    }
}
