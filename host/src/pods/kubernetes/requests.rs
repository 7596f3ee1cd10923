//! What is asked of the Kubernetes API: get, list and watch of pods, and nothing else.

use http::Request;
use http::header::{ACCEPT, HeaderValue};
use kube::api::{GetParams, ListParams, WatchParams};
use podstamp_core::config::Selector;

use super::failure::{Failure, Reason};

/// Requests for the pods of a selector.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    selector: Selector,
    /// How long a watch lasts, seconds.
    period: u32,
}

type Built = Result<Request<Vec<u8>>, Failure>;

impl Requests {
    /// `period`: how long a watch is to last, milliseconds.
    pub(super) fn new(selector: Selector, period: u32) -> Self {
        Self { selector, period: (period / 1000).clamp(MIN_PERIOD, MAX_PERIOD) }
    }

    /// How long a watch lasts, seconds.
    pub(super) fn period(&self) -> u32 {
        self.period
    }

    /// A watch that begins with all pods, as they are now.
    pub(super) fn stream(&self) -> Built {
        watch(self.pods().watch(&self.watch_params().initial_events(), ""))
    }

    /// A watch of what comes after `version`.
    pub(super) fn resume(&self, version: &str) -> Built {
        watch(self.pods().watch(&self.watch_params(), version))
    }

    /// The first page of a list of all pods as they are now, or the one that `token` continues with.
    pub(super) fn page(&self, token: Option<&str>) -> Built {
        let mut params = ListParams::default().limit(PAGE);
        params.continue_token = token.map(str::to_owned);
        params.field_selector = selector(&self.selector.fields);
        params.label_selector = selector(&self.selector.labels);
        built(self.pods().list(&params))
    }

    /// One pod, whichever; for the version that the server has. It goes without selectors, for which the server would have to
    /// search.
    pub(super) fn any(&self) -> Built {
        built(self.pods().list(&ListParams::default().limit(1)))
    }

    /// One pod. Its name is that of a pod that the server has told of.
    pub(super) fn pod(namespace: &str, name: &str) -> Built {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        built(kube::core::Request::new(path).get(name, &GetParams::default()))
    }

    fn pods(&self) -> kube::core::Request {
        kube::core::Request::new(match &self.selector.namespace {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/pods"),
            None => "/api/v1/pods".to_owned(),
        })
    }

    fn watch_params(&self) -> WatchParams {
        WatchParams {
            field_selector: selector(&self.selector.fields),
            label_selector: selector(&self.selector.labels),
            timeout: Some(self.period),
            ..WatchParams::default()
        }
    }
}

fn selector(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A watch in protobuf, or in JSON where the server has no protobuf.
fn watch(request: Result<Request<Vec<u8>>, kube::core::request::Error>) -> Built {
    let mut request = built(request)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(WATCH_FORMS));
    Ok(request)
}

fn built(request: Result<Request<Vec<u8>>, kube::core::request::Error>) -> Built {
    request.map_err(|error| Failure::new(Reason::Config, format!("no request can be made: {error}")))
}

const WATCH_FORMS: &str = "application/vnd.kubernetes.protobuf;stream=watch, application/json";

/// Pods of a page, as in client-go.
const PAGE: u32 = 500;

/// Some watches a second of a thousand agents are load for an API server.
const MIN_PERIOD: u32 = 5;

/// An API server ends a watch after half an hour to an hour by itself.
const MAX_PERIOD: u32 = 1_800;
