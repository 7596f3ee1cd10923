//! What pages send: read within bounds of size and time, and worked on a little at a time.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::admin::response::{Body, error};

/// The places of bodies that are read, and of those that are worked on.
#[derive(Debug)]
pub(super) struct Uploads {
    reading: Semaphore,
    working: Semaphore,
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
        Self { reading: Semaphore::new(READING), working: Semaphore::new(WORKING) }
    }
}

impl Uploads {
    /// The whole of a body.
    pub(super) async fn read(&self, body: Incoming) -> Result<Bytes, Refused> {
        let _place = self.reading.try_acquire().map_err(|_| Refused::Busy)?;
        let collected = timeout(READ_TIMEOUT, Limited::new(body, MAX_BODY).collect());
        match collected.await.map_err(|_| Refused::Slow)? {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refused::Large),
            Err(_) => Err(Refused::Broken),
        }
    }

    /// Works on something away from the listener's thread, which may take a while.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let place = timeout(PATIENCE, self.working.acquire()).await.map_err(|_| Refused::Busy)?;
        let place = place.map_err(|_| Refused::Failed)?;
        // The place is taken until the work is done, whether its client is still there or not.
        place.forget();
        let worked = spawn_blocking(work).await;
        self.working.add_permits(1);
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
