//! Requests to the API server, each within bounds of time and size.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use podstamp::pods::kubernetes::client::Connection;
use podstamp::pods::kubernetes::{Failure, SourceFailure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::dated::Dated;

/// A connection to the API, and what it asks of it.
#[derive(Debug)]
pub(in crate::doctor) struct Api {
    pub(in crate::doctor) connection: Connection,
}

/// A response, whatever its status.
#[derive(Debug)]
pub(in crate::doctor) struct Answer {
    pub(in crate::doctor) status: StatusCode,
    pub(in crate::doctor) dated: Option<Dated>,
    pub(in crate::doctor) body: Bytes,
}

impl Api {
    /// Asks for an object or a list.
    pub(in crate::doctor) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(Request::get(path), Bytes::new()).await?.read()
    }

    /// Posts an object that the server fills in and does not keep.
    pub(in crate::doctor) async fn review<T: DeserializeOwned>(
        &self,
        path: &str,
        object: &Value,
    ) -> Result<T, Failure> {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.answer(request, object.to_string().into()).await?.read()
    }

    /// Sends a request.
    pub(in crate::doctor) async fn answer(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let broken = |error: &dyn std::error::Error| Failure::new(SourceFailure::Invalid, error.to_string());
        let request = request.body(Body::from(body.to_vec())).map_err(|error| broken(&error))?;
        let silent = || {
            let message = format!("no answer within {} s", PATIENCE.as_secs());
            Failure::new(SourceFailure::Silent, message)
        };
        timeout(PATIENCE, self.exchange(request)).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, Failure> {
        let sent = SystemTime::now();
        let response = self.connection.client.send(request).await;
        let response = response.map_err(|error| Failure::of_request(&error))?;
        let received = SystemTime::now();
        let (head, body) = response.into_parts();
        let dated = Dated::read(&head.headers, sent, received);
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| Failure::of_body(&*error))?;
        Ok(Answer { status: head.status, dated, body: body.to_bytes() })
    }
}

impl Answer {
    /// The object of a response with 200 or 201; another status is a failure, with the server's own words.
    fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if !self.status.is_success() {
            let message = self.message();
            return Err(Failure::of_status(self.status, message.as_deref().unwrap_or_default()));
        }
        let broken =
            |error| Failure::new(SourceFailure::Invalid, format!("an answer of another kind: {error}"));
        serde_json::from_slice(&self.body).map_err(broken)
    }

    /// What an API server says with an error. `None`: what answered is none.
    pub(in crate::doctor) fn message(&self) -> Option<String> {
        let status: Status = serde_json::from_slice(&self.body).ok()?;
        (status.kind == "Status").then(|| status.message.unwrap_or_default())
    }
}

/// `meta/v1.Status`, as far as it is read.
#[derive(Deserialize)]
struct Status {
    kind: String,
    message: Option<String>,
}

/// For each request. A person is waiting.
pub(in crate::doctor) const PATIENCE: Duration = Duration::from_secs(8);

/// A page of 500 pods of 30 KB each.
const LONGEST: usize = 16 << 20;
