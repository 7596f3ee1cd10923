//! What a connection is doing, so that one that does nothing can be told from one that is slow.
//!
//! hyper's own header timeout also runs while a kept-alive connection is idle, so that one number would have to serve
//! for both; and it sets a timer for each request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::settings::Limits;

/// Shared between a connection's bytes, its requests and its watchdog.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Milliseconds since `opened` at which the present state began, times 4, plus the state.
    state: AtomicU64,
}

/// What the watchdog should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Look again after this time.
    Wait(Duration),
    /// No request came for too long.
    Idle,
    /// The head of a request does not come to its end.
    SlowHead,
}

const IDLE: u64 = 0;
const HEAD: u64 = 1;
const REQUEST: u64 = 2;

impl Activity {
    pub(super) fn new() -> Self {
        Self { opened: Instant::now(), state: AtomicU64::new(IDLE) }
    }

    /// A request's head is complete.
    pub(super) fn request_begins(&self) {
        self.enter(REQUEST);
    }

    /// A request has its response.
    pub(super) fn request_ends(&self) {
        self.enter(IDLE);
    }

    fn bytes_came(&self) {
        if self.state.load(Ordering::Relaxed) & 3 == IDLE {
            self.enter(HEAD);
        }
    }

    fn enter(&self, state: u64) {
        self.state.store(self.now() << 2 | state, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }

    pub(super) fn advice(&self, limits: &Limits) -> Advice {
        let state = self.state.load(Ordering::Relaxed);
        let spent = Duration::from_millis(self.now().saturating_sub(state >> 2));
        let (limit, advice) = match state & 3 {
            IDLE => (limits.idle_timeout, Advice::Idle),
            HEAD => (limits.header_timeout, Advice::SlowHead),
            _ => return Advice::Wait(limits.header_timeout),
        };
        match limit.checked_sub(spent) {
            Some(left) if !left.is_zero() => Advice::Wait(left.min(limits.header_timeout)),
            _ => advice,
        }
    }
}

/// A stream that notes when bytes come.
#[derive(Debug)]
pub(super) struct Noting<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Noting<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.bytes_came();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
