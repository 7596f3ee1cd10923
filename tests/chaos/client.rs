//! Clients: each sends batches, one after the other, and sends again what was not acknowledged.

mod grpc;
mod http;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use podstamp_test_support::blocking::http::gzipped;

pub(crate) use self::http::get;
use crate::identity::AttemptId;
use crate::ledger::{Ledger, Outcome};
use crate::shape::{Protocol, SHAPES, Shape};

/// All clients.
pub(crate) struct Clients {
    control: Arc<Control>,
    threads: Vec<JoinHandle<()>>,
    busy: Arc<AtomicU8>,
}

/// Where podstamp listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
}

#[derive(Default)]
struct Control {
    paused: Mutex<bool>,
    resumed: Condvar,
    stopping: AtomicBool,
    given_up: AtomicBool,
}

struct Client {
    number: u16,
    run: u32,
    shape: &'static Shape,
    sender: Sender,
    ledger: Arc<Ledger>,
    control: Arc<Control>,
    busy: Arc<AtomicU8>,
    rng: Rng,
    /// Seconds for each span.
    pace: f64,
}

enum Sender {
    Http(http::Sender),
    Grpc(grpc::Sender),
}

impl Clients {
    /// Clients that send so many spans a second together.
    pub(crate) fn start(doors: Doors, ledger: &Arc<Ledger>, seed: u64, rate: u32) -> Self {
        let (control, busy) = (Arc::<Control>::default(), Arc::<AtomicU8>::default());
        let threads = SHAPES.iter().enumerate().map(|(number, shape)| {
            let client = Client {
                number: number as u16,
                run: seed as u32,
                shape,
                sender: Sender::new(doors, shape),
                ledger: Arc::clone(ledger),
                control: Arc::clone(&control),
                busy: Arc::clone(&busy),
                rng: Rng::with_seed(seed.wrapping_add(number as u64)),
                pace: SHAPES.len() as f64 / f64::from(rate),
            };
            thread::spawn(move || client.run())
        });
        Self { threads: threads.collect(), control, busy }
    }

    /// Lets them finish what they have begun, close their connections and wait. Says whether they could.
    pub(crate) fn pause(&self, patience: Duration) -> bool {
        *self.control.paused.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let until = Instant::now() + patience;
        while self.busy.load(Ordering::Acquire) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        self.busy.load(Ordering::Acquire) == 0
    }

    pub(crate) fn resume(&self) {
        *self.control.paused.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.control.resumed.notify_all();
    }

    /// Lets them finish what they have begun, and ends them. Says whether all was acknowledged.
    pub(crate) fn stop(self, patience: Duration) -> bool {
        self.control.stopping.store(true, Ordering::Release);
        self.resume();
        let until = Instant::now() + patience;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        let all = self.threads.iter().all(JoinHandle::is_finished);
        self.control.given_up.store(true, Ordering::Release);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        all
    }
}

impl Client {
    fn run(mut self) {
        let (mut first, mut number) = (0, 0);
        self.busy.fetch_add(1, Ordering::AcqRel);
        while self.is_to_go_on() {
            let batch = self.shape.batch(self.number, first, &mut self.rng);
            let spans = batch.spans();
            let began = Instant::now();
            for attempt in 0.. {
                let id = AttemptId { run: self.run, client: self.number, batch: number, attempt };
                let message = batch.message(id, self.shape.protocol);
                let body = if self.shape.gzip { gzipped(&mut &*message) } else { message };
                let index = self.ledger.begin(id, first, spans);
                let outcome = self.sender.send(body);
                let pause = match &outcome {
                    Outcome::Acknowledged | Outcome::Rejected { .. } => None,
                    Outcome::Unsent | Outcome::Unanswered => Some(Duration::from_millis(100)),
                    Outcome::Refused { wait, .. } => {
                        Some(Duration::from_millis(wait.unwrap_or(0)).clamp(SHORTEST_WAIT, LONGEST_WAIT))
                    }
                };
                self.ledger.end(index, outcome);
                let Some(pause) = pause else { break };
                if self.control.given_up.load(Ordering::Acquire) {
                    break;
                }
                thread::sleep(pause.mul_f64(0.75 + self.rng.f64() / 2.0));
            }
            first += spans;
            number += 1;
            let due = Duration::from_secs_f64(f64::from(spans) * self.pace * 2.0 * self.rng.f64());
            self.wait(due.saturating_sub(began.elapsed()));
        }
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }

    /// Waits, but not for longer than the others are at work.
    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until
            && !self.control.stopping.load(Ordering::Acquire)
            && !*self.control.paused.lock().unwrap_or_else(PoisonError::into_inner)
        {
            thread::sleep(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(20)));
        }
    }

    fn is_to_go_on(&mut self) -> bool {
        let mut paused = self.control.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if *paused {
            self.sender.close();
            self.busy.fetch_sub(1, Ordering::AcqRel);
            while *paused {
                paused = self.control.resumed.wait(paused).unwrap_or_else(PoisonError::into_inner);
            }
            self.busy.fetch_add(1, Ordering::AcqRel);
        }
        !self.control.stopping.load(Ordering::Acquire)
    }
}

impl Sender {
    fn new(doors: Doors, shape: &Shape) -> Self {
        match shape.protocol {
            Protocol::Grpc => Self::Grpc(grpc::Sender::new(doors.grpc, shape.gzip)),
            Protocol::Http | Protocol::Chunked | Protocol::Json => {
                Self::Http(http::Sender::new(doors.http, shape))
            }
        }
    }

    fn send(&mut self, body: Vec<u8>) -> Outcome {
        match self {
            Self::Http(sender) => sender.send(&body),
            Self::Grpc(sender) => sender.send(body),
        }
    }

    fn close(&mut self) {
        match self {
            Self::Http(sender) => sender.close(),
            Self::Grpc(sender) => sender.close(),
        }
    }
}

/// As SDKs have it by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Between two attempts, where the answer does not ask for more.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// An SDK would wait for longer where it is told to; a run of some minutes has no time for it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
