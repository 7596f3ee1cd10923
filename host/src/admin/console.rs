//! The console: a page for people, and what it asks.
//!
//! All of it reads and changes nothing. What takes more than a moment is done away from the listener's thread, a few at a time, so
//! that probes and scrapers have their answers whatever pages ask for.

mod annotated;
mod check;
mod configuration;
mod events;
mod live;
mod page;
mod pods;
mod pulse;
mod query;
mod rewrite;
mod uploads;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;

use super::inquiry::Inquiry;
use super::response::{Body, error, json, json_bytes};
use super::{Sources, only};
use crate::console::{Console as State, TraceQuery};
use crate::lifecycle::Draining;
use crate::settings;
use check::Checked;
use events::Streams;
use live::Shown;
use pods::FoundPods;
use pulse::Pulse;
use query::{Query, Unreadable};
use uploads::{Upload, Uploads};

pub use configuration::Configuration;
pub(crate) use live::ShownQueue;

/// Answers the page.
#[derive(Debug)]
pub(super) struct Console {
    sources: Arc<Sources>,
    state: Arc<State>,
    pulse: Arc<Pulse>,
    streams: Streams,
    uploads: Uploads,
}

/// A request, and what it takes to answer it.
#[derive(Clone, Copy)]
pub(super) struct Visit<'v> {
    pub(super) head: &'v Parts,
    pub(super) draining: &'v Draining,
    pub(super) inquiry: &'v Inquiry,
}

/// Whether a path is the console's.
pub(super) fn is_of_console(path: &str) -> bool {
    matches!(path, "/" | "/console" | "/console.js" | "/console.css") || path.starts_with("/console/")
}

impl Console {
    pub(super) fn new(sources: Arc<Sources>, state: Arc<State>) -> Self {
        let settings::Console { payloads, trace_link } = state.settings().clone();
        let pulse = Arc::new(Pulse::new(Arc::clone(&sources), Shown { payloads, trace_link }));
        Self { sources, state, pulse, streams: Streams::default(), uploads: Uploads::default() }
    }

    /// Looks at what is shown, again and again, for as long as it is polled.
    pub(super) async fn beat(&self) {
        self.pulse.beat().await;
    }

    pub(super) async fn answer(&self, visit: Visit<'_>, body: Incoming) -> Response<Body> {
        let Visit { head, .. } = visit;
        let path = head.uri.path();
        if path.starts_with("/console/") {
            self.pulse.look();
            drop(self.state.watch());
        }
        let is_box = matches!(path, "/console/check" | "/console/rewrite");
        match head.method {
            Method::POST if is_box => self.take(head, body).await,
            _ if is_box => only("POST"),
            Method::GET | Method::HEAD => self
                .show(visit)
                .await
                .unwrap_or_else(|wrong| error(StatusCode::BAD_REQUEST, &wrong.to_string())),
            _ => only("GET, HEAD"),
        }
    }

    async fn show(&self, visit: Visit<'_>) -> Result<Response<Body>, Unreadable> {
        let Visit { head, draining, inquiry } = visit;
        let query = || Query::parse(head.uri.query());
        Ok(match head.uri.path() {
            // A stream without a reader would take a place of those with one.
            "/console/events" if head.method == Method::GET => {
                self.streams.open(&self.pulse, self.state.watch(), draining)
            }
            "/console/live" => json_bytes(StatusCode::OK, self.pulse.newest().data),
            "/console/pods" => self.pods(&query()?, inquiry).await?,
            "/console/configuration" => match self.sources.configuration.annotated() {
                Some(annotated) => json_bytes(StatusCode::OK, annotated),
                None => error(StatusCode::NOT_FOUND, "this program has not told its configuration"),
            },
            "/console/services" => {
                let state = Arc::clone(&self.state);
                json(inquiry.in_turn(move || state.services()).await.as_ref())
            }
            "/console/traces" => {
                let (state, query) = (Arc::clone(&self.state), traces_asked_for(&query()?)?);
                json(inquiry.in_turn(move || state.traces(&query)).await.as_ref())
            }
            path if path.starts_with("/console/services/") => {
                let id = path.strip_prefix("/console/services/").and_then(read_row);
                let state = Arc::clone(&self.state);
                match inquiry.in_turn(move || id.and_then(|id| state.service(id))).await {
                    Some(None) => error(StatusCode::NOT_FOUND, NO_ROW),
                    found => json(found.flatten().as_ref()),
                }
            }
            path if path.starts_with("/console/traces/") => {
                let id = path.strip_prefix("/console/traces/").and_then(read_trace_id);
                let state = Arc::clone(&self.state);
                match inquiry.in_turn(move || id.and_then(|id| state.trace(id))).await {
                    Some(None) => error(StatusCode::NOT_FOUND, NO_TRACE),
                    found => json(found.flatten().as_ref()),
                }
            }
            path => page::answer(path, &head.headers).unwrap_or_else(|| {
                error(StatusCode::NOT_FOUND, "the console has nothing there: it begins at /")
            }),
        })
    }

    async fn pods(&self, query: &Query, inquiry: &Inquiry) -> Result<Response<Body>, Unreadable> {
        let limit = query.count("limit")?.unwrap_or(USUAL_PODS);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let wanted = query.text("q").unwrap_or_default().to_owned();
        let (table, state) = (self.sources.listings.table(), self.sources.listings.source_state());
        let search = move || FoundPods::of(table.as_deref(), state, &wanted, limit);
        Ok(json(inquiry.in_turn(search).await.as_ref()))
    }

    /// Answers one of the two boxes that take something.
    async fn take(&self, head: &Parts, body: Incoming) -> Response<Body> {
        let Upload { bytes, place } = match self.uploads.read(body).await {
            Ok(upload) => upload,
            Err(refused) => return refused.answer(),
        };
        if head.uri.path() == "/console/check" {
            let checked = self.uploads.work(place, move || check(&bytes)).await;
            return checked.map_or_else(|refused| refused.answer(), |checked| json(Some(&checked)));
        }
        let request = Query::parse(head.uri.query())
            .map_err(|wrong| wrong.to_string())
            .and_then(|query| rewrite::request(&query, &head.headers, bytes));
        let request = match request {
            Ok(request) => request,
            Err(wrong) => return error(StatusCode::BAD_REQUEST, &wrong),
        };
        let state = Arc::clone(&self.state);
        match self.uploads.work(place, move || state.rewrite(&request)).await {
            Ok(Ok(rewritten)) => json(Some(&rewritten)),
            Ok(Err(failure)) => {
                error(StatusCode::UNPROCESSABLE_ENTITY, &format!("the filter gave no answer: {failure}"))
            }
            Err(refused) => refused.answer(),
        }
    }
}

fn traces_asked_for(query: &Query) -> Result<TraceQuery, Unreadable> {
    let text = |name| query.text(name).unwrap_or_default().to_owned();
    let limit = query.count("limit")?.unwrap_or(USUAL_TRACES).min(MOST_TRACES);
    Ok(TraceQuery {
        service: text("service"),
        name: text("name"),
        id: text("id"),
        error: query.flag("error"),
        unknown: query.flag("unknown"),
        min_ms: query.number("min_ms")?,
        max_ms: query.number("max_ms")?,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    })
}

/// The number of a row, in hex.
fn read_row(text: &str) -> Option<u64> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// The id of a trace, in hex.
fn read_trace_id(text: &str) -> Option<[u8; 16]> {
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

fn check(text: &Bytes) -> Checked {
    Checked::of(&String::from_utf8_lossy(text))
}

const NO_ROW: &str = "there is no such row: it has made room for others";

const NO_TRACE: &str = "the trace is not kept: it was not sampled, or has made room for others";

/// Pods that are shown where nobody says how many.
const USUAL_PODS: u64 = 200;

/// Traces, likewise.
const USUAL_TRACES: u64 = 100;

/// The console keeps some hundred.
const MOST_TRACES: u64 = 1_000;
