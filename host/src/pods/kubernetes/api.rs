//! Requests to the API server, and reading what comes back within bounds.
//!
//! kube's own reading of lists and watches has no bounds: what stands where an API server should be could take all memory.
//! It does not tell of bookmarks either, by which one knows a quiet cluster from a server that hangs.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::timeout;

use super::failure::{Failure, Reason};
use crate::pods::raw::Item;

/// A response with 200.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) body: Body,
    /// The media type, as far as it is text.
    pub(super) content_type: String,
}

/// Sends a request; gives the response if it has 200.
pub(super) async fn open(client: &Client, request: Request<Vec<u8>>) -> Result<Opened, Failure> {
    let sent = timeout(RESPONSE_TIMEOUT, client.send(request.map(Body::from))).await;
    let late =
        |_| Failure::new(Reason::Silent, format!("no response within {} s", RESPONSE_TIMEOUT.as_secs()));
    let response = sent.map_err(late)?.map_err(|error| Failure::of_request(&error))?;
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let mut body = response.into_body();
    if status == StatusCode::OK {
        return Ok(Opened { body, content_type });
    }
    let mut text = Vec::new();
    // Without its message the status is told all the same.
    drop(collect(&mut body, &mut text, MAX_MESSAGE_BYTES).await);
    let message = match serde_json::from_slice::<Status>(&text) {
        Ok(status) => status.message.unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(&text).into_owned(),
    };
    Err(Failure::of_status(status, message.trim()))
}

/// Reads a body of JSON to its end.
pub(super) async fn read(client: &Client, request: Request<Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let Opened { mut body, .. } = open(client, request).await?;
    let mut text = Vec::new();
    collect(&mut body, &mut text, MAX_PAGE_BYTES).await?;
    Ok(text)
}

async fn collect(body: &mut Body, into: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
    while let Some(data) = data(body, RESPONSE_TIMEOUT).await? {
        if into.len() + data.len() > limit {
            return Err(Failure::new(Reason::Invalid, format!("a response of more than {limit} bytes")));
        }
        into.extend_from_slice(&data);
    }
    Ok(())
}

/// The next bytes of a body, if any come within `patience`.
pub(super) async fn data(body: &mut Body, patience: Duration) -> Result<Option<bytes::Bytes>, Failure> {
    loop {
        let late = |_| Failure::new(Reason::Silent, format!("nothing came for {} s", patience.as_secs_f32()));
        match timeout(patience, body.frame()).await.map_err(late)? {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => return Err(Failure::of_body(&error)),
        }
    }
}

/// A page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    pub(super) kind: Option<String>,
    pub(super) metadata: ListMetadata,
    pub(super) items: Option<Vec<Item>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMetadata {
    pub(super) resource_version: Option<String>,
    #[serde(rename = "continue")]
    pub(super) token: Option<String>,
}

impl Page {
    /// Reads a page. Something else than a list of pods is no answer of an API server.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Failure> {
        let page: Self = serde_json::from_slice(text)
            .map_err(|error| Failure::new(Reason::Invalid, format!("no list of pods: {error}")))?;
        match &page.kind {
            Some(kind) if kind == "PodList" => Ok(page),
            kind => Err(Failure::new(Reason::Invalid, format!("kind {kind:?} in place of a PodList"))),
        }
    }

    /// The token of the next page; `None`: this is the last one.
    pub(super) fn next(&self) -> Option<&str> {
        self.metadata.token.as_deref().filter(|token| !token.is_empty())
    }
}

/// `meta/v1.Status`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: Option<u16>,
    pub(super) message: Option<String>,
}

/// A server that is busy takes some seconds for a page; one that hangs takes for ever.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// 500 pods of 500 KB, each of them a third of what etcd takes.
const MAX_PAGE_BYTES: usize = 256 << 20;
