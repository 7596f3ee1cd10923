//! `GET /pods/WHAT`: why something does or does not lead to a pod; `GET /peers`: the peers that led to none.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use podstamp_pods::listing;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::listings::Listings;
use super::pods::NO_PODS;
use super::response::{Body, text};
use crate::observe::LostPeers;
use crate::pods::explain::ExplainedPeers;

/// Answers what people ask about pods and peers.
pub(super) struct Inquiry {
    listings: Arc<Listings>,
    lost_peers: Arc<LostPeers>,
    /// An answer goes through all pods: one at a time, so that nobody keeps the processors busy by asking.
    turn: Arc<Semaphore>,
}

impl Inquiry {
    pub(super) fn new(listings: Arc<Listings>, lost_peers: Arc<LostPeers>) -> Self {
        Self { listings, lost_peers, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Explains `what`, the part of the path behind `/pods/`: in JSON, or in text for whoever prefers that.
    pub(super) async fn explain(&self, what: &str, headers: &HeaderMap) -> Response<Body> {
        let what = match unescape(what) {
            Some(what) if !what.trim().is_empty() => what,
            _ => return text(StatusCode::BAD_REQUEST, WHAT),
        };
        let (listings, lost_peers) = (Arc::clone(&self.listings), Arc::clone(&self.lost_peers));
        match self.in_turn(move || listings.explain(&what, &lost_peers)).await {
            Some(None) => text(StatusCode::NOT_FOUND, NO_PODS),
            Some(Some(explanation)) if prefers_text(headers) => text(StatusCode::OK, explanation.to_string()),
            explanation => json(explanation.flatten().as_ref()),
        }
    }

    /// The peers of the last minutes that led to no pod.
    pub(super) async fn peers(&self) -> Response<Body> {
        let (table, lost_peers) = (self.listings.table(), Arc::clone(&self.lost_peers));
        let peers = self.in_turn(move || ExplainedPeers::of(&lost_peers, table.as_deref())).await;
        json(peers.as_ref())
    }

    /// Does something off the admin listener's own thread, once nobody else does.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        // The turn ends with the work, whether its client is still there or not.
        let worked = spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await;
        worked.inspect_err(|error| tracing::error!(%error, "an answer about pods failed")).ok()
    }
}

/// `None`: there is no answer, since making it failed.
fn json(answer: Option<&impl Serialize>) -> Response<Body> {
    let Some(Ok(mut body)) = answer.map(serde_json::to_vec_pretty) else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the answer failed; see the log\n");
    };
    body.push(b'\n');
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a client asks for text and not for JSON. `*/*`, which curl sends, is JSON.
fn prefers_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types =
        accepted.flat_map(|value| value.split(',')).map(|item| item.split(';').next().unwrap_or_default());
    types.find_map(|media| match media.trim() {
        "text/plain" | "text/*" => Some(true),
        "application/json" | "application/*" => Some(false),
        _ => None,
    }) == Some(true)
}

/// The text of a part of a path; `None` where that is no text, or longer than any name.
fn unescape(escaped: &str) -> Option<String> {
    if escaped.len() > MAX_WHAT {
        return None;
    }
    listing::unescape(escaped).ok().map(Cow::into_owned)
}

const WHAT: &str =
    "ask for /pods/WHAT, where WHAT is an address, a pod's name, NAMESPACE/NAME, a uid or a container's id\n";

/// A namespace, a name and a slash, or a container's id with its prefix, all of it escaped.
const MAX_WHAT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_ends_with_its_work_and_not_with_its_client() {
        let inquiry = Inquiry::new(Arc::default(), Arc::default());
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let asked = inquiry.in_turn(move || ended.recv().ok());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), asked).await.is_err());
        assert_eq!(inquiry.turn.available_permits(), 0, "it is worked on still");
        drop(end);
        assert_eq!(inquiry.in_turn(|| 5).await, Some(5));
    }

    #[test]
    fn a_part_of_a_path_is_unescaped() {
        for (escaped, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("shop/cart-0", Some("shop/cart-0")),
            ("shop%2Fcart-0", Some("shop/cart-0")),
            ("containerd://ab", Some("containerd://ab")),
            ("%c3%bc", Some("ü")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(unescape(escaped).as_deref(), expected, "{escaped}");
        }
        assert_eq!(unescape(&"a".repeat(MAX_WHAT + 1)), None);
    }

    #[test]
    fn text_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/plain", true),
            ("text/plain;q=0.9, application/json", true),
            ("application/json, text/plain", false),
            ("text/html, text/*", true),
        ] {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(prefers_text(&headers), expected, "{accept}");
        }
        assert!(!prefers_text(&HeaderMap::new()));
    }
}
