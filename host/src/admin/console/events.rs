//! `GET /console/events`: what is shown, moment after moment, as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::pulse::{Event, Pulse};
use crate::admin::response::{Body, error, with_type};
use crate::console::Watch;
use crate::lifecycle::Draining;

/// The streams of events that there may be at a time.
#[derive(Debug)]
pub(super) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Streams {
    /// A stream of events, until the process drains.
    pub(super) fn open(&self, pulse: &Arc<Pulse>, watch: Watch, draining: &Draining) -> Response<Body> {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else {
            let message = format!("{MOST} pages follow already: close one of them");
            let mut response = error(StatusCode::SERVICE_UNAVAILABLE, &message);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            return response;
        };
        let (sender, receiver) = mpsc::channel(1);
        let stream = Stream { pulse: Arc::clone(pulse), sender, _watch: watch, _place: place };
        tokio::spawn(stream.run(draining.clone()));
        let mut response = with_type(StatusCode::OK, Bytes::new(), "text/event-stream");
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Some proxies gather what comes otherwise.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        response.map(|_| Received(receiver).boxed())
    }
}

/// One client's events.
struct Stream {
    pulse: Arc<Pulse>,
    sender: mpsc::Sender<Bytes>,
    _watch: Watch,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    async fn run(self, draining: Draining) {
        tokio::select! {
            () = draining.stopping() => (),
            () = self.sender.closed() => (),
            () = self.tell() => (),
        }
    }

    /// Tells what there is, until the client takes nothing any more. One that is slow misses events.
    async fn tell(&self) {
        let mut events = self.pulse.follow();
        let first = self.pulse.newest();
        events.mark_unchanged();
        let history = event("history", first.id, &self.pulse.history());
        let mut next = Bytes::from([b"retry: 1000\n\n", &*history, &*live(&first)].concat());
        loop {
            if self.sender.send(next).await.is_err() || events.changed().await.is_err() {
                return;
            }
            next = live(&events.borrow_and_update());
        }
    }
}

fn live(told: &Event) -> Bytes {
    event("live", told.id, &told.data)
}

/// An event whose data is in one line.
fn event(name: &str, id: u64, data: &[u8]) -> Bytes {
    let mut text = format!("event: {name}\nid: {id}\ndata: ").into_bytes();
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// A body of what comes through a channel, to the end of that.
struct Received(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A page has one; a dozen people may look.
const MOST: usize = 16;
