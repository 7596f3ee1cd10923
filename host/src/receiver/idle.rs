//! Tells connections that are idle from those that are slow or busy.
//!
//! hyper's own header timeout also runs while a kept-alive connection is idle, so that one number would have to serve
//! for both; and it sets a timer for each request.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::opening::Opening;
use crate::observe::Observer;

/// What a connection is doing. Its bytes and its requests write it, its watchdog reads it.
#[derive(Debug)]
pub(super) struct IdleTracker {
    opened: Instant,
    http2: AtomicBool,
    requests: AtomicU32,
    /// When the present state began: milliseconds since `opened`, times 2, plus 1 if a head is coming in. Without meaning
    /// while there are requests.
    since: AtomicU64,
    has_begun: AtomicBool,
    /// The first bytes.
    opening: OnceLock<Opening>,
    /// The first request has begun.
    begun: Notify,
    /// Another connection needs the place.
    asked_to_go: Notify,
}

/// What the watchdog should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Look again after this time.
    Wait(Duration),
    /// Too long without a request.
    Idle,
    /// The head of a request takes too long.
    SlowHead,
}

/// How long a connection may take for a head, and stay without a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleLimits {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) idle_http2: Duration,
}

const HEAD: u64 = 1;

impl IdleTracker {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            http2: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            since: AtomicU64::new(0),
            has_begun: AtomicBool::new(false),
            opening: OnceLock::new(),
            begun: Notify::new(),
            asked_to_go: Notify::new(),
        }
    }

    /// A request's head is complete.
    pub(super) fn request_begins(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.begun.notify_one();
        }
    }

    /// Whether there has ever been a request.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// The first bytes, as long as they have not become a request.
    pub(super) fn opening(&self) -> Option<Opening> {
        self.opening.get().copied().filter(|_| !self.has_begun())
    }

    /// Waits for the first request.
    pub(super) async fn begun(&self) {
        self.begun.notified().await;
    }

    /// How long the connection has been idle; `None` where it is busy, or so new that its first request may be on its way.
    pub(super) fn idle(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed);
        if self.requests.load(Ordering::Relaxed) > 0 || since & HEAD != 0 {
            return None;
        }
        let idle = Duration::from_millis(self.now().saturating_sub(since >> 1));
        (self.has_begun() || idle >= MOMENT).then_some(idle)
    }

    /// Asks the connection to close, if it is still idle.
    pub(super) fn ask_to_go(&self) {
        self.asked_to_go.notify_one();
    }

    /// Waits until the connection is asked to close.
    pub(super) async fn asked_to_go(&self) {
        self.asked_to_go.notified().await;
    }

    /// A request has its response, or its client has gone.
    pub(super) fn request_ends(&self) {
        if self.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.since.store(self.now() << 1, Ordering::Relaxed);
        }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// Bytes came. Over HTTP/2, bytes between requests are pings and settings, and leave the connection idle.
    fn bytes_came(&self) {
        let idle =
            self.requests.load(Ordering::Relaxed) == 0 && self.since.load(Ordering::Relaxed) & HEAD == 0;
        if idle && !self.is_http2() {
            self.since.store(self.now() << 1 | HEAD, Ordering::Relaxed);
        }
    }

    fn speaks_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        self.since.store(self.now() << 1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }

    pub(super) fn advice(&self, limits: &IdleLimits) -> Advice {
        if self.requests.load(Ordering::Relaxed) > 0 {
            return Advice::Wait(limits.head);
        }
        let since = self.since.load(Ordering::Relaxed);
        let spent = Duration::from_millis(self.now().saturating_sub(since >> 1));
        let (limit, advice) = match (since & HEAD, self.is_http2()) {
            (HEAD, _) => (limits.head, Advice::SlowHead),
            (_, false) => (limits.idle, Advice::Idle),
            (_, true) => (limits.idle_http2, Advice::Idle),
        };
        match limit.checked_sub(spent) {
            Some(left) if !left.is_zero() => Advice::Wait(left.min(limits.head)),
            _ => advice,
        }
    }
}

/// How long a client that has just connected has for its first request.
pub(super) const MOMENT: Duration = Duration::from_secs(1);

/// Tells a tracker when bytes come, and whether they begin as HTTP/2 does.
#[derive(Debug)]
pub(super) struct IdleObserver {
    tracker: Arc<IdleTracker>,
    /// The rest of HTTP/2's preface that has not come yet; `None` once the protocol is known.
    awaited: Option<&'static [u8]>,
}

impl IdleObserver {
    pub(super) fn new(tracker: Arc<IdleTracker>) -> Self {
        Self { tracker, awaited: Some(HTTP2) }
    }
}

impl Observer for IdleObserver {
    fn came(&mut self, bytes: &[u8]) {
        let Some(awaited) = self.awaited else {
            return self.tracker.bytes_came();
        };
        self.tracker.opening.get_or_init(|| Opening::new(bytes));
        let common = awaited.len().min(bytes.len());
        if awaited.get(..common) != bytes.get(..common) {
            self.awaited = None;
        } else if common == awaited.len() {
            self.awaited = None;
            return self.tracker.speaks_http2();
        } else {
            self.awaited = awaited.get(common..);
        }
        self.tracker.bytes_came();
    }
}

/// How HTTP/2's preface begins (RFC 9113, section 3.4). No method of HTTP/1.1 does.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
