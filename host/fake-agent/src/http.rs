//! deepflow-agent's routes, and the answers that it gives.

use std::convert::Infallible;
use std::future;
use std::process;
use std::sync::Arc;

use agent_hyper::body::{Bytes, HttpBody as _};
use agent_hyper::header::{CONTENT_TYPE, HeaderValue};
use agent_hyper::http::request::Parts;
use agent_hyper::{Body, Method, Request, Response, StatusCode, body};
use tokio::sync::Notify;
use tracing::warn;

use crate::block::Block;
use crate::fault::{Abort, Fault};
use crate::harm::Harm;
use crate::import::{self, Import, Sender};
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::record::{Outcome, Record};
use crate::script::{Playbook, Script};
use crate::turns::Turns;

/// The path that takes traces.
pub const TRACE_PATH: &str = "/api/v1/otel/trace";

/// The parts of an agent that all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) abort: Abort,
    pub(crate) keep_bodies: bool,
    /// The turns that requests for traces take in a strict agent.
    pub(crate) turns: Option<Turns>,
    pub(crate) playbook: Playbook,
    pub(crate) metrics: Metrics,
    pub(crate) block: Block,
    pub(crate) journal: Journal,
}

/// One TCP connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sender: Arc<Sender>,
    /// Notified when the connection has to be reset.
    pub(crate) doomed: Arc<Notify>,
}

impl Connection {
    /// The response; an error makes hyper close the connection, or the HTTP/2 stream, without one.
    pub(crate) async fn handle(self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let (head, body) = request.into_parts();
        let mut record = Record::new(&head, self.sender.peer);
        let answer = match (&head.method, head.uri.path()) {
            (&Method::GET, "/") => Ok(document()),
            (&Method::POST, TRACE_PATH) => self.traces(&head, body, &mut record).await,
            (&Method::POST, path) if OTHER_PATHS.contains(&path) => other(&head, body, &mut record).await,
            _ => Ok(with_status(StatusCode::NOT_FOUND, "Not Found")),
        };
        record.end(match &answer {
            Ok(response) => Outcome::Answered(response.status().as_u16()),
            Err(fault) if fault.exit_status().is_some() => Outcome::Aborted(fault.to_string()),
            Err(fault) => Outcome::Closed(fault.to_string()),
        });
        self.shared.journal.add(record);
        if let Err(fault) = &answer
            && let Some(status) = fault.exit_status()
        {
            match self.abort(fault, status).await {}
        }
        answer
    }

    async fn traces(
        &self,
        head: &Parts,
        mut body: Body,
        record: &mut Record,
    ) -> Result<Response<Body>, Fault> {
        let _turn = self.shared.turns.as_ref().map(|turns| turns.take(head.version)).transpose()?;
        let script = self.shared.playbook.next();
        if script.leaves_body() {
            script.in_time().await;
            return Ok(Response::default());
        }
        if matches!(script, Script::CloseInBody) {
            // What is left of the body is not read: the connection ends in the midst of it, or just after it.
            let part = body.data().await.and_then(Result::ok);
            record.wire_bytes = part.map_or(0, |part| part.len() as u64);
            return Err(Fault::Scripted);
        }
        let body = match whole(body).await {
            Ok(body) => body,
            Err(answer) => return Ok(answer),
        };
        record.wire_bytes = body.len() as u64;
        record.body = self.shared.keep_bodies.then(|| body.to_vec());
        let script = script.in_time().await;
        let import = || {
            let decoded = import::decompress(body, &head.headers)?;
            record.decoded_bytes = decoded.len() as u64;
            self.keep(import::import(&decoded, &self.sender)?, record);
            Ok(())
        };
        match script {
            Script::Answer(answer) => Ok(answer.into()),
            Script::Close | Script::CloseInBody => Err(Fault::Scripted),
            Script::ImportThenClose => import().and(Err(Fault::Scripted)),
            Script::ImportThen(answer) => import().map(|()| answer.into()),
            Script::Import | Script::Disabled | Script::Delay(..) | Script::Hold(..) => {
                import().map(|()| Response::default())
            }
        }
    }

    /// Hands an import on: to the metrics, and to the server as far as it gets there.
    fn keep(&self, mut import: Import, record: &mut Record) {
        if !import.harms.iter().any(|harm| matches!(harm, Harm::TooManySpans { .. })) {
            self.shared.metrics.count(&mut import.resources);
        }
        if import.harms.iter().any(|harm| matches!(harm, Harm::TooLarge { .. })) {
            import.resources.clear();
        }
        import.harms.extend(self.shared.block.take(&import.resources));
        (record.resources, record.harms) = (import.resources, import.harms);
    }

    /// Ends the process or resets the connection, and so does not return.
    async fn abort(&self, fault: &Fault, status: i32) -> Infallible {
        match self.shared.abort {
            Abort::Exit => {
                eprintln!("ending, as deepflow-agent does here: {fault}");
                process::exit(status);
            }
            Abort::Record => {
                warn!(%fault, "deepflow-agent ends here");
                self.doomed.notify_one();
                future::pending().await
            }
        }
    }
}

/// Takes other kinds of data as deepflow-agent does, up to its own queues.
async fn other(head: &Parts, body: Body, record: &mut Record) -> Result<Response<Body>, Fault> {
    let body = match whole(body).await {
        Ok(body) => body,
        Err(answer) => return Ok(answer),
    };
    record.wire_bytes = body.len() as u64;
    record.decoded_bytes = import::decompress(body, &head.headers)?.len() as u64;
    Ok(Response::default())
}

/// The whole body; the error is the answer where it does not come whole.
async fn whole(body: Body) -> Result<Bytes, Response<Body>> {
    body::to_bytes(body).await.map_err(|error| {
        let status =
            if error.is_user() { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
        with_status(status, error.to_string())
    })
}

fn with_status(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

/// deepflow-agent serves a PDF that is built in; people use it as a liveness check.
fn document() -> Response<Body> {
    let mut response = Response::new(Body::from("%PDF-1.4\n%%EOF\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
    response
}

/// deepflow-agent's other endpoints. Of the data that is posted there, only the `Content-Encoding` is undone.
const OTHER_PATHS: [&str; 9] = [
    "/api/v1/prometheus",
    "/api/v1/telegraf",
    "/api/v1/profile/ingest",
    "/api/v1/log",
    "/api/v0.2/traces",
    "/v0.3/traces",
    "/v0.4/traces",
    "/v0.5/traces",
    "/v0.7/traces",
];
