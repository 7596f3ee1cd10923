//! deepflow-agent's routes, and the answers that it gives.

use std::convert::Infallible;
use std::future;
use std::net::SocketAddr;
use std::process;
use std::sync::Arc;

use agent_hyper::header::{CONTENT_TYPE, HeaderValue};
use agent_hyper::http::request::Parts;
use agent_hyper::{Body, Method, Request, Response, StatusCode, body};
use tokio::sync::Notify;
use tracing::warn;

use crate::import::{self, Fault};
use crate::journal::Journal;
use crate::record::{Outcome, Record};
use crate::script::{Playbook, Script};

/// The path that takes traces.
pub const TRACE_PATH: &str = "/api/v1/otel/trace";

/// What happens where deepflow-agent's process aborts: at a span whose kind is outside 0..=5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Abort {
    /// Says so on stderr and ends the process with [`EXIT_STATUS`](Abort::EXIT_STATUS).
    #[default]
    Exit,
    /// Notes it down and resets the connection, for tests in the same process. Other connections go on.
    Record,
}

impl Abort {
    /// The exit status of a process that SIGABRT has ended, as shells and containers show it.
    pub const EXIT_STATUS: i32 = 134;
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) abort: Abort,
    pub(crate) keep_bodies: bool,
    pub(crate) playbook: Playbook,
    pub(crate) journal: Journal,
}

/// One TCP connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: SocketAddr,
    /// Told when the connection has to be reset.
    pub(crate) doomed: Arc<Notify>,
}

impl Connection {
    /// The response; an error makes hyper close the connection, or the HTTP/2 stream, without one.
    pub(crate) async fn handle(self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let (head, body) = request.into_parts();
        let mut record = Record::new(&head, self.peer);
        let answer = match (&head.method, head.uri.path()) {
            (&Method::GET, "/") => Ok(document()),
            (&Method::POST, TRACE_PATH) => self.traces(&head, body, &mut record).await,
            _ => Ok(with_status(StatusCode::NOT_FOUND, "Not Found")),
        };
        record.outcome = match &answer {
            Ok(response) => Outcome::Answered(response.status().as_u16()),
            Err(fault @ Fault::Kind { .. }) => Outcome::Aborted(fault.to_string()),
            Err(fault) => Outcome::Closed(fault.to_string()),
        };
        self.shared.journal.add(record);
        if let Err(fault @ Fault::Kind { .. }) = &answer {
            match self.abort(fault).await {}
        }
        answer
    }

    async fn traces(&self, head: &Parts, body: Body, record: &mut Record) -> Result<Response<Body>, Fault> {
        let script = self.shared.playbook.next();
        if script.leaves_body() {
            script.in_time().await;
            return Ok(Response::default());
        }
        let body = match body::to_bytes(body).await {
            Ok(body) => body,
            Err(error) if error.is_user() => {
                return Ok(with_status(StatusCode::BAD_REQUEST, error.to_string()));
            }
            Err(error) => return Ok(with_status(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        };
        record.wire_bytes = body.len() as u64;
        record.body = self.shared.keep_bodies.then(|| body.to_vec());
        let script = script.in_time().await;
        let import = || {
            let decoded = import::decompress(body, &head.headers)?;
            record.decoded_bytes = decoded.len() as u64;
            record.resources = import::import(&decoded, self.peer.ip())?;
            Ok(())
        };
        match script {
            Script::Answer(answer) => Ok(answer.into()),
            Script::Close => Err(Fault::Scripted),
            Script::ImportThen(answer) => import().map(|()| answer.into()),
            Script::Import | Script::Disabled | Script::Delay(..) | Script::Hold(..) => {
                import().map(|()| Response::default())
            }
        }
    }

    /// Does not return: the connection goes away, if not the process.
    async fn abort(&self, fault: &Fault) -> Infallible {
        match self.shared.abort {
            Abort::Exit => {
                eprintln!("aborting, as deepflow-agent does here: {fault}");
                process::exit(Abort::EXIT_STATUS);
            }
            Abort::Record => {
                warn!(%fault, "deepflow-agent aborts here");
                self.doomed.notify_one();
                future::pending().await
            }
        }
    }
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
