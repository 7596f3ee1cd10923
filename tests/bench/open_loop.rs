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
    let count = (rate * time.as_secs_f64()) as usize;
    // Connecting takes a moment.
    let begin = Instant::now() + Duration::from_millis(50);
    let threads: Vec<_> = (0..connections)
        .map(|connection| {
            let request = Arc::clone(request);
            std::thread::spawn(move || {
                let mut client = Client::connect(to);
                let numbers = (connection..count).step_by(connections);
                let due = numbers.map(|number| begin + Duration::from_secs_f64(number as f64 / rate));
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
    Round { seconds: begin.elapsed().as_secs_f64(), latencies }
}
