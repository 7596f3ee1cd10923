//! Throws away the rest of a body that nobody wants.
//!
//! A server that answers early and closes makes the kernel reset the connection, and the client may never see the answer.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// Reads the rest in the background, so that the answer need not wait. Gives up after `limit` bytes and some more, or after
/// some seconds; the connection closes then.
pub(super) fn discard(body: Incoming, limit: usize) {
    tokio::spawn(async move {
        // The connection sees whether the body came to its end.
        timeout(LINGER, read_rest(body, limit)).await.unwrap_or_default();
    });
}

async fn read_rest(mut body: Incoming, limit: usize) {
    let mut left = limit.saturating_add(SLACK);
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len());
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Twice as long as nginx lingers.
const LINGER: Duration = Duration::from_secs(10);

/// A body that is a little over the limit is read to its end.
const SLACK: usize = 1 << 20;
