//! What pages send: read within bounds of size and time, and worked on a little at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::admin::response::{Body, error};

/// The places of bodies that are read, and of those that are worked on.
#[derive(Debug)]
pub(super) struct Uploads {
    reading: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// A body, and its place among those that are kept.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    pub(super) place: OwnedSemaphorePermit,
}

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is over {} KiB: `podstamp check` and `podstamp rewrite` take more", MAX_BODY >> 10)]
    Large,
    #[error("it did not come within {} s: send it again", READ_TIMEOUT.as_secs())]
    Slow,
    #[error("it broke off: send it again")]
    Broken,
    #[error("others are being worked on: send it again in a moment")]
    Busy,
    #[error("the answer failed: see podstamp's log")]
    Failed,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { reading: Arc::new(Semaphore::new(READING)), working: Arc::new(Semaphore::new(WORKING)) }
    }
}

impl Uploads {
    /// The whole of a body.
    pub(super) async fn read(&self, body: Incoming) -> Result<Upload, Refused> {
        let place = Arc::clone(&self.reading).try_acquire_owned().map_err(|_| Refused::Busy)?;
        let collected = timeout(READ_TIMEOUT, Limited::new(body, MAX_BODY).collect());
        match collected.await.map_err(|_| Refused::Slow)? {
            Ok(collected) => Ok(Upload { bytes: collected.to_bytes(), place }),
            Err(error) if error.is::<LengthLimitError>() => Err(Refused::Large),
            Err(_) => Err(Refused::Broken),
        }
    }

    /// Works on a body away from the listener's thread, which may take a while. `place`: that of the body, which it has until it is
    /// worked on.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let turn = timeout(PATIENCE, Arc::clone(&self.working).acquire_owned());
        let turn = turn.await.map_err(|_| Refused::Busy)?.map_err(|_| Refused::Failed)?;
        drop(place);
        // The turn ends with the work, whether its client is still there or not.
        let worked = spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await;
        worked.map_err(|error| {
            tracing::error!(%error, "what a page sent could not be worked on");
            Refused::Failed
        })
    }
}

impl Refused {
    pub(super) fn answer(&self) -> Response<Body> {
        let status = match self {
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = error(status, &self.to_string());
        if matches!(self, Self::Busy) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

/// Kubernetes holds at most 1 MiB in a ConfigMap.
const MAX_BODY: usize = 1 << 20;

/// A person's browser is near.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// With [`MAX_BODY`], some megabytes at most.
const READING: usize = 8;

/// One processor may be left for everything else.
const WORKING: usize = 2;

/// How long a body waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_turn_ends_with_its_work_and_not_with_its_client() {
        let uploads = Uploads::default();
        let place = || Arc::clone(&uploads.reading).try_acquire_owned().unwrap();
        let mut ends = Vec::new();
        for _ in 0..WORKING {
            let (begin, begun) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            let working = uploads.work(place(), move || {
                begin.send(()).unwrap();
                ended.recv().ok()
            });
            // The client goes away.
            assert!(timeout(Duration::from_millis(200), working).await.is_err());
            begun.recv().unwrap();
            ends.push(end);
        }
        assert_eq!(uploads.working.available_permits(), 0, "two are being worked on");
        assert_eq!(uploads.reading.available_permits(), READING);
        let waiting = uploads.work(place(), || ());
        assert!(timeout(Duration::from_millis(50), waiting).await.is_err(), "a third one waits");
        ends.clear();
        assert!(uploads.work(place(), || ()).await.is_ok());
        while uploads.working.available_permits() < WORKING {
            tokio::task::yield_now().await;
        }
    }
}
