//! Starting, watching and stopping an agent.

use std::collections::VecDeque;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::block::Block;
use crate::error::Error;
use crate::fault::Abort;
use crate::http::{Shared, TRACE_PATH};
use crate::journal::{DEFAULT_KEPT_RECORDS, Journal, Totals};
use crate::metrics::{Meter, Metrics};
use crate::record::Record;
use crate::script::{Playbook, Script};
use crate::server;
use crate::turns::Turns;

/// A running agent. Dropping it stops it and cuts its connections off.
#[derive(Debug)]
pub struct Agent {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<()>,
    server: JoinHandle<()>,
}

/// How an agent is to run.
#[derive(Debug)]
#[must_use = "an agent runs once it is started"]
pub struct Builder {
    listen: SocketAddr,
    record: Option<PathBuf>,
    max_records: usize,
    keep_bodies: bool,
    strict: bool,
    abort: Abort,
    queued: VecDeque<Script>,
    afterwards: Script,
}

// === impl Agent ===

impl Agent {
    /// An agent on [`DEFAULT_LISTEN`] that does what deepflow-agent does.
    pub fn builder() -> Builder {
        Builder {
            listen: DEFAULT_LISTEN,
            record: None,
            max_records: DEFAULT_KEPT_RECORDS,
            keep_bodies: false,
            strict: false,
            abort: Abort::default(),
            queued: VecDeque::new(),
            afterwards: Script::default(),
        }
    }

    /// The address that the agent listens at, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that takes traces.
    pub fn url(&self) -> String {
        format!("http://{}{TRACE_PATH}", self.address)
    }

    /// The latest requests, the oldest first.
    pub fn records(&self) -> Vec<Arc<Record>> {
        self.shared.journal.records()
    }

    /// Forgets the records kept in memory; the totals and the file stay.
    pub fn forget_records(&self) {
        self.shared.journal.forget();
    }

    /// How much the agent has seen since it started.
    pub fn totals(&self) -> Totals {
        self.shared.journal.totals()
    }

    /// The agent's own metrics of what was imported, by second and then by number of the span in its connection.
    pub fn meters(&self) -> Vec<Meter> {
        self.shared.metrics.meters()
    }

    /// Waits until that many spans were imported since the start; for ever, if they never come.
    pub async fn wait_for_spans(&self, at_least: u64) -> Totals {
        self.shared.journal.wait_for(|totals| totals.spans >= at_least).await
    }

    /// Waits until that many requests were dealt with since the start; for ever, if they never come.
    pub async fn wait_for_requests(&self, at_least: u64) -> Totals {
        self.shared.journal.wait_for(|totals| totals.requests >= at_least).await
    }

    /// Adds a script for `times` further requests, after those that are waiting to be played.
    pub fn play(&self, times: usize, script: Script) {
        self.shared.playbook.queue(times, script);
    }

    /// Sets what becomes of requests that no script is waiting for.
    pub fn play_always(&self, script: Script) {
        self.shared.playbook.afterwards(script);
    }

    /// Stops listening, lets requests in hand finish (for up to a second), and returns when the port is free.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(());
        if let Err(error) = (&mut self.server).await {
            warn!(%error, "the agent's task ended early");
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.server.abort();
    }
}

// === impl Builder ===

impl Builder {
    /// Where to listen; port 0 lets the system choose one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Appends a JSON object a line to this file for every request.
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// How many records to keep in memory.
    pub fn keep_records(mut self, count: usize) -> Self {
        self.max_records = count;
        self
    }

    /// Keeps the bodies too, as they came.
    pub fn keep_bodies(mut self) -> Self {
        self.keep_bodies = true;
        self
    }

    /// Aborts where two requests for traces overlap, from their head to their answer, and at every one over HTTP/2.
    /// deepflow-agent may survive that for a while, but how long is luck, which a test cannot wait for.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// What happens where deepflow-agent's process aborts.
    pub fn on_abort(mut self, abort: Abort) -> Self {
        self.abort = abort;
        self
    }

    /// Adds a script for the first `times` requests, after those that were added before.
    pub fn play(mut self, times: usize, script: Script) -> Self {
        self.queued.extend(iter::repeat_n(script, times));
        self
    }

    /// Sets what becomes of requests after those.
    pub fn play_always(mut self, script: Script) -> Self {
        self.afterwards = script;
        self
    }

    /// Listens; from then on the agent runs on the tokio runtime of the caller.
    pub async fn start(self) -> Result<Agent, Error> {
        let journal = Journal::open(self.max_records, self.record.as_deref())
            .map_err(|source| Error::Record { path: self.record.unwrap_or_default(), source })?;
        let cannot_listen = |source| Error::Listen { address: self.listen, source };
        let listener = TcpListener::bind(self.listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let shared = Arc::new(Shared {
            abort: self.abort,
            keep_bodies: self.keep_bodies,
            turns: self.strict.then(Turns::default),
            playbook: Playbook::new(self.queued, self.afterwards),
            metrics: Metrics::new(SystemTime::now()),
            block: Block::default(),
            journal,
        });
        let (stop, stopped) = watch::channel(());
        let server = tokio::spawn(server::run(listener, Arc::clone(&shared), stopped));
        Ok(Agent { address, shared, stop, server })
    }
}

/// deepflow-agent's port (`inputs.integration.listen_port`). It binds `[::]`; a fake agent has no business outside.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 38086);
