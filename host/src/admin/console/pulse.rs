//! Looks at everything that is shown, each second while somebody looks at it, else every few, and keeps the last minutes.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::live::{Latency, Live, Point, Rates, Shown, Totals};
use crate::admin::Sources;
use crate::observe::Reading;
use crate::sandbox::clock;

/// The state of a podstamp, moment after moment.
pub(super) struct Pulse {
    sources: Arc<Sources>,
    shown: Shown,
    instance: String,
    begun: Instant,
    state: Mutex<State>,
    newest: watch::Sender<Event>,
    looked: Notify,
}

struct State {
    /// When somebody looked last.
    looked: Option<Instant>,
    points: VecDeque<Point>,
    /// The counts of the last seconds, the oldest first.
    readings: VecDeque<(Instant, Reading)>,
    count: u64,
}

/// What is told at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    /// Counts the events.
    pub(super) id: u64,
    /// JSON in one line.
    pub(super) data: Bytes,
}

impl Pulse {
    pub(super) fn new(sources: Arc<Sources>, shown: Shown) -> Self {
        let begun = Instant::now();
        let state = State {
            looked: None,
            points: VecDeque::new(),
            readings: VecDeque::from([(begun, sources.metrics.read())]),
            count: 0,
        };
        let instance = format!("{:016x}", fastrand::u64(..));
        let (newest, looked) = (watch::Sender::new(Event::default()), Notify::new());
        Self { sources, shown, instance, begun, state: Mutex::new(state), newest, looked }
    }

    /// Looks again and again, for as long as it is polled.
    pub(super) async fn beat(&self) {
        loop {
            self.take();
            let taken = Instant::now();
            tokio::select! {
                () = sleep_until(taken + SELDOM) => (),
                () = self.is_due(taken) => (),
            }
        }
    }

    /// Waits until somebody looks at what is older than a second.
    async fn is_due(&self, taken: Instant) {
        while !self.is_looked_at() {
            self.looked.notified().await;
        }
        sleep_until(taken + OFTEN).await;
    }

    /// Notes that somebody looks.
    pub(super) fn look(&self) {
        self.lock().looked = Some(Instant::now());
        self.looked.notify_one();
    }

    fn is_looked_at(&self) -> bool {
        self.newest.receiver_count() > 0
            || self.lock().looked.is_some_and(|looked| looked.elapsed() < LOOKED_AT)
    }

    /// What is told from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Event> {
        let events = self.newest.subscribe();
        self.looked.notify_one();
        events
    }

    /// The newest, not older than a second.
    pub(super) fn newest(&self) -> Event {
        let is_old = self.lock().readings.back().is_none_or(|(taken, _)| taken.elapsed() >= OFTEN);
        if is_old || self.newest.borrow().id == 0 {
            self.take();
        }
        self.newest.borrow().clone()
    }

    /// The points before the newest, as a list in JSON: without agents and notices, which are about now.
    pub(super) fn history(&self) -> Bytes {
        let state = self.lock();
        let older = state.points.len().saturating_sub(1);
        let lives: Vec<_> = state.points.iter().take(older).map(|point| self.live(point)).collect();
        serde_json::to_vec(&lives).unwrap_or_else(|_| b"[]".to_vec()).into()
    }

    fn live<'l>(&'l self, point: &'l Point) -> Live<'l> {
        let Self { instance, shown, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        Live { instance, version, settings: shown, point, agents: &[], notices: &[] }
    }

    /// Looks once, unless somebody just did: what is a moment apart makes no rates.
    fn take(&self) {
        let is_fresh = |state: &State| {
            state.count > 0 && state.readings.back().is_some_and(|(taken, _)| taken.elapsed() < APART)
        };
        if is_fresh(&self.lock()) {
            return;
        }
        let Sources { metrics, readiness, listings, notices, memory, agents, .. } = &*self.sources;
        let (now, read) = (Instant::now(), metrics.read());
        let missing = readiness.missing();
        let agents = agents();
        let mut state = self.lock();
        let (rates, latency_ms) = state.compare(now, &read);
        let point = Point {
            now_ms: clock::milliseconds(),
            uptime_seconds: now.saturating_duration_since(self.begun).as_secs(),
            ready: missing.is_none(),
            not_ready_because: missing,
            rates,
            totals: Totals::of(&read),
            latency_ms,
            queues: metrics.shown_queues(),
            pods: listings.source_state(),
            memory_bytes: memory.resident(),
        };
        state.count += 1;
        let live = Live { agents: &agents, notices: &notices.recent(), ..self.live(&point) };
        let data = serde_json::to_vec(&live).unwrap_or_default().into();
        let event = Event { id: state.count, data };
        state.keep(now, read, point);
        drop(state);
        self.newest.send_replace(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What has happened since the moment before, and how long requests of the last seconds took.
    fn compare(&self, now: Instant, read: &Reading) -> (Rates, Option<Latency>) {
        let since = |taken: Instant| now.saturating_duration_since(taken);
        let rates = self
            .readings
            .back()
            .map(|(taken, before)| Rates::between(before, read, since(*taken).as_secs_f64()));
        let window = self.readings.iter().find(|(taken, _)| since(*taken) <= WINDOW);
        let window = window.or(self.readings.back());
        let latency = window.and_then(|(_, before)| Latency::between(before, read));
        (rates.unwrap_or_default(), latency)
    }

    fn keep(&mut self, now: Instant, read: Reading, point: Point) {
        self.readings.push_back((now, read));
        while self.readings.len() > 1
            && self.readings.front().is_some_and(|(taken, _)| now.saturating_duration_since(*taken) > WINDOW)
        {
            self.readings.pop_front();
        }
        let oldest = point.now_ms.saturating_sub(KEPT.as_millis() as u64);
        self.points.push_back(point);
        while self.points.len() > MOST_POINTS
            || self.points.front().is_some_and(|point| point.now_ms < oldest)
        {
            self.points.pop_front();
        }
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pulse").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// How often while somebody looks.
const OFTEN: Duration = Duration::from_secs(1);

/// The least time between two moments.
const APART: Duration = Duration::from_millis(500);

/// How often else: enough for a plot of the last minutes to have something to begin with.
const SELDOM: Duration = Duration::from_secs(5);

/// A page that asks once in a while is looked at.
const LOOKED_AT: Duration = Duration::from_secs(10);

/// The requests of how long a latency is about: those of one second are few.
const WINDOW: Duration = Duration::from_secs(10);

/// How long points are kept.
const KEPT: Duration = Duration::from_secs(300);

/// One a second, and no more where the clock goes back.
const MOST_POINTS: usize = 300;
