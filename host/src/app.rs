//! Puts a host together: from a configuration document to a filter, and to a running server.
//!
//! ```no_run
//! # async fn example() -> Result<(), podstamp::app::Error> {
//! use podstamp::app::{self, Overrides};
//!
//! let server = app::start(app::default_document()?, &Overrides::default()).await?;
//! println!("taking traces at {:?}", server.listening());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod budget;
mod guest;
mod memory_limiter;
mod source;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use podstamp_core::Directory;
use podstamp_core::config::Rules;
use podstamp_core::config::{
    self, Carried, Config, DEFAULT_DOCUMENT, Fault, Reading, Sizer, Unresolved, Unset,
};
use podstamp_core::interface::Signal;
use podstamp_core::interface::{Level, Notice};
use serde_json::{Map, Value};

use crate::exporter::Exporter;
use crate::memory::Memory;
use crate::network::Network;
use crate::pods::PodsFileError;
use crate::pods::kubernetes::Surroundings;
use crate::receiver::ListenerAccess;
use crate::receiver::auth::Authenticator;
use crate::sandbox::{self, Guest, Sandbox};
use crate::server::{BindError, Instruments, Server};
use crate::settings::{
    Batch, CopyTarget, Grpc, Http, Limits, Listener, Queue, Route, Settings, Upstream, milliseconds, workers,
};

use source::Source;

pub use budget::Budget;
pub use source::{PodsChoice, choose_pods};

/// Settings that override the document's, mostly from the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another pods file.
    pub pods: Option<PathBuf>,
    /// Another guest than the one that the binary carries. Taken with the feature `compiler` alone.
    pub guest: Option<PathBuf>,
    /// Whether bodies are checked whole up front, as `podstamp.guard.check: full` has it.
    pub check_full: bool,
    /// Whether pods of the Kubernetes API are asked for while the filter is loaded, by a program that will serve. Without the
    /// context of a tokio runtime they are asked for afterwards.
    pub follow_at_once: bool,
    /// The document as it was before variables of the environment were put into it, to be shown in the console. `None`: as it is.
    pub written: Option<Value>,
}

/// A filter and its pods, put together from a document and ready to be served.
pub struct App {
    config: Config,
    written: Value,
    large_calls: usize,
    queue_bytes: u64,
    notices: Vec<Notice>,
    sandbox: Arc<Sandbox>,
    source: Source,
}

/// Why an [`App`] could not be put together or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration has faults.
    #[error("the configuration has faults:{}", listed(.0))]
    Faults(Vec<Fault>),
    /// The pods file cannot be used.
    #[error(transparent)]
    Pods(#[from] PodsFileError),
    /// The guest cannot be read.
    #[error("guest {} cannot be read", path.display())]
    ReadGuest {
        /// The guest's path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another guest is asked for, and this podstamp cannot compile any.
    #[error(
        "guest {} cannot be compiled: this podstamp carries the code of its own filter and no compiler; leave --guest out, or build \
         podstamp with `--features compiler`",
        path.display()
    )]
    NoCompiler {
        /// The guest's path.
        path: PathBuf,
    },
    /// The guest cannot be run.
    #[error(transparent)]
    Guest(sandbox::Error),
    /// A listener cannot be bound.
    #[error(transparent)]
    Bind(BindError),
}

impl From<BindError> for Error {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Credentials(fault) => Self::Faults(vec![fault]),
            error => Self::Bind(error),
        }
    }
}

/// The faults of the files that a configuration names for certificates, tokens and passwords, and of its limit of memory.
/// Blocks while the files are read.
pub fn check_files(config: &Config) -> Vec<Fault> {
    let settings = settings(config);
    let mut faults: Vec<_> = settings.all_upstreams().flat_map(Exporter::check_files).collect();
    faults.extend(Budget::new(config).fault());
    let admin = settings.admin.iter().filter_map(|admin| admin.auth.as_ref());
    faults.extend(admin.filter_map(|auth| Authenticator::new(auth).err()));
    faults.extend(settings.listeners.into_iter().flat_map(|listener| ListenerAccess::check_files(&listener)));
    faults.extend(choose_pods(config, None, &Surroundings::of_process()).err());
    faults
}

/// The document that runs without a configuration: DeepFlow's pipeline for load balancers, towards an agent on this host.
pub fn default_document() -> Result<Value, Error> {
    serde_json::from_str(DEFAULT_DOCUMENT)
        .map_err(|error| Error::Faults(vec![Fault { path: String::new(), message: error.to_string() }]))
}

/// Puts a document together and serves it, with instruments of its own.
pub async fn start(document: Value, overrides: &Overrides) -> Result<Server, Error> {
    App::new(document, overrides)?.serve(&Instruments::default()).await
}

impl App {
    /// Compiles the document, loads the filter, and reads the pods file. Blocks meanwhile: that takes some ten milliseconds, and a second
    /// where another guest is compiled.
    pub fn new(document: Value, overrides: &Overrides) -> Result<Self, Error> {
        Self::assemble(document, overrides, None)
    }

    /// The same with the caller's own directory: neither what `podstamp.pods` names nor
    /// [`Overrides::pods`] is asked, and `GET /pods` of the admin listener has no pods.
    pub fn with_directory(
        document: Value,
        overrides: &Overrides,
        directory: Arc<dyn Directory + Send + Sync>,
    ) -> Result<Self, Error> {
        Self::assemble(document, overrides, Some(directory))
    }

    fn assemble(
        mut document: Value,
        overrides: &Overrides,
        own: Option<Arc<dyn Directory + Send + Sync>>,
    ) -> Result<Self, Error> {
        if overrides.check_full {
            check_full(&mut document);
        }
        let mut reading = config::read_all(&document, Unresolved::default(), Unset::Refused);
        reading.add(check_files(&reading.config));
        let Reading { mut config, faults, .. } = reading;
        if !faults.is_empty() {
            return Err(Error::Faults(faults));
        }
        let budget = Budget::new(&config);
        config.limits = budget.limits;
        let (source, directory, notice) =
            Source::open(&config, overrides.pods.clone(), own, Surroundings::of_process())?;
        if overrides.follow_at_once {
            source.begin();
        }
        let limits = sandbox_settings(&config);
        let guest = match &overrides.guest {
            None => Guest::embedded(limits).map_err(Error::Guest)?,
            Some(path) => guest::of_file(path, limits)?,
        };
        let sandbox = Sandbox::new(&guest, document.to_string(), directory);
        let sandbox = sandbox.map_err(|error| match error {
            sandbox::Error::Config(faults) => Error::Faults(faults),
            error => Error::Guest(error),
        })?;
        let mut notices = sandbox.notices().to_vec();
        notices.extend(budget.warning());
        notices.extend(batch_notices(&config));
        if let Some(limiter) = &config.memory_limiter {
            let resident = Memory::default().resident();
            notices.extend(memory_limiter::warning(limiter, budget::total_memory(), resident));
        }
        notices.extend(notice);
        let Budget { large_calls, queue_bytes, .. } = budget;
        let written = overrides.written.clone().unwrap_or(document);
        Ok(Self { config, written, large_calls, queue_bytes, notices, sandbox: Arc::new(sandbox), source })
    }

    /// The compiled configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the operator should know about the configuration.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The filter.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// Waits until the pods are there, for programs that do not serve. False if they have not come within
    /// `wait_for_metadata_timeout`; the log says why.
    pub async fn load_pods(&self) -> bool {
        self.source.load().await
    }

    /// Serves, until the server is told to stop.
    pub async fn serve(&self, instruments: &Instruments) -> Result<Server, Error> {
        let sandbox = Arc::<Sandbox>::clone(&self.sandbox);
        instruments.configuration.show(&self.written, &self.notices);
        let mut settings = settings(&self.config);
        settings.limits.large_calls = self.large_calls;
        settings.bound_queues(self.queue_bytes);
        settings.waits_for_pods = self.source.makes_clients_wait();
        let network = Network { nodes: self.source.nodes(), ..Network::default() };
        let mut server = Server::bind_in(&settings, sandbox, instruments, &network).await?;
        self.source.accompany(&self.config, &mut server, instruments);
        Ok(server)
    }
}

fn sandbox_settings(config: &Config) -> sandbox::Settings {
    let limits = &config.limits;
    sandbox::Settings {
        memory: limits.guest_memory as usize,
        timeout: milliseconds(limits.guest_timeout),
        instances: match limits.instances {
            // A worker may wait on one while its large body is worked on elsewhere.
            0 => 2 * workers(),
            instances => instances as usize,
        },
        body: limits.body as usize,
    }
}

fn settings(config: &Config) -> Settings {
    let limits = &config.limits;
    Settings {
        listeners: listeners(config),
        traces_path: config.receiver.traces_path().to_owned(),
        trusted_proxies: config.trusted_proxies.clone(),
        admin: config.admin.clone().map(Into::into),
        limits: Limits::from(limits),
        upstream: upstream(&config.traces.exporter, config, &config.traces),
        copies: copies(config, &config.traces),
        metrics: route(config, Signal::Metrics),
        logs: route(config, Signal::Logs),
        memory_limiter: config
            .memory_limiter
            .as_ref()
            .and_then(|limiter| memory_limiter::limiter(limiter, budget::total_memory())),
        waits_for_pods: false,
        drain_delay: milliseconds(config.drain_delay),
        drain_timeout: milliseconds(limits.drain_timeout),
    }
}

fn route(config: &Config, signal: Signal) -> Option<Route> {
    let carried = config.carried(signal)?;
    Some(Route {
        path: config.receiver.path(signal).to_owned(),
        upstream: upstream(&carried.exporter, config, carried),
        copies: copies(config, carried),
    })
}

fn copies(config: &Config, carried: &Carried) -> Vec<CopyTarget> {
    let copy = |exporter: &config::Exporter| CopyTarget {
        name: exporter.id.clone(),
        upstream: upstream(exporter, config, carried),
    };
    carried.copies.iter().map(copy).collect()
}

fn upstream(exporter: &config::Exporter, config: &Config, carried: &Carried) -> Upstream {
    let config::Exporter { tls, auth, compression, connections, timeout, .. } = exporter.clone();
    let connections = (connections > 0).then_some(connections as usize);
    let patience = match config.upstream.patience {
        0 => milliseconds(timeout),
        patience => milliseconds(patience.min(timeout)),
    };
    let age = config.upstream.max_connection_age;
    let Rules { spans_per_request, agent_memory, .. } = carried.rules;
    Upstream {
        tls,
        auth,
        compression,
        connections,
        patience,
        max_connection_age: (age > 0).then(|| milliseconds(age)),
        prefer_local_node: config.upstream.prefer_local_node,
        queue: exporter.queue.clone().map(|sending| Queue {
            memory: match (&sending.storage, sending.sizer) {
                (Some(_), _) => u64::MAX,
                (None, Sizer::Bytes) => sending.queue_size,
                (None, Sizer::Requests | Sizer::Items) => budget::QUEUE,
            },
            sending,
            patience: milliseconds(config.queue.patience),
            exporter: exporter.clone(),
        }),
        batch: carried.batch.as_ref().filter(|batch| batch.timeout > 0).map(|batch| Batch {
            timeout: milliseconds(batch.timeout.min(longest_hold(exporter, config))),
            size: batch.send_batch_size,
            max_size: batch.send_batch_max_size,
        }),
        spans_per_request,
        agent_memory,
    }
}

/// How long a batch may hold requests, in milliseconds: their clients wait meanwhile, and with a queue they are queued when they
/// have waited for too long.
fn longest_hold(exporter: &config::Exporter, config: &Config) -> u32 {
    let patience = match config.upstream.patience {
        0 => exporter.timeout,
        patience => patience.min(exporter.timeout),
    };
    let queued = exporter.queue.as_ref().map_or(u32::MAX, |_| config.queue.patience / 2);
    queued.min(patience / 4)
}

/// The notices about batches that hold requests for less long than the document says.
fn batch_notices(config: &Config) -> impl Iterator<Item = Notice> {
    let carried = config.signals().filter_map(|signal| config.carried(signal));
    carried.filter_map(|carried| {
        let batch = carried.batch.as_ref()?;
        let longest = longest_hold(&carried.exporter, config);
        let message = format!(
            "{}.timeout: is cut to {longest} ms, since clients wait meanwhile: a part of podstamp.upstream.patience, and of \
             podstamp.queue.patience where there is a queue",
            batch.path
        );
        (batch.timeout > longest).then(|| Notice { level: Level::Info, key: "config-batch".into(), message })
    })
}

/// One listener for each protocol, or one for both where they have the same address.
fn listeners(config: &Config) -> Vec<Listener> {
    let proxies = |expected: bool| if expected { config.trusted_proxies.clone() } else { Vec::new() };
    let mut listeners = Vec::new();
    if let Some(http) = &config.receiver.http {
        let taken = Http {
            body: http.max_body.map(|bytes| bytes as usize),
            auth: http.auth.clone(),
            cors: http.cors.clone(),
        };
        listeners.push(Listener {
            address: http.endpoint.clone(),
            http: Some(taken),
            grpc: None,
            proxies: proxies(config.proxy_protocol.http),
            tls: http.tls.clone(),
            strict: config.strict_ports,
        });
    }
    if let Some(grpc) = &config.receiver.grpc {
        let taken = Some(grpc_settings(grpc));
        let shared = |listener: &&mut Listener| config::is_same_listener(&listener.address, &grpc.endpoint);
        match listeners.iter_mut().find(shared) {
            Some(listener) => {
                listener.grpc = taken;
                if listener.proxies.is_empty() {
                    listener.proxies = proxies(config.proxy_protocol.grpc);
                }
            }
            None => listeners.push(Listener {
                address: grpc.endpoint.clone(),
                http: None,
                grpc: taken,
                proxies: proxies(config.proxy_protocol.grpc),
                tls: grpc.tls.clone(),
                strict: config.strict_ports,
            }),
        }
    }
    listeners
}

fn grpc_settings(grpc: &config::Grpc) -> Grpc {
    Grpc {
        message: grpc.max_message.map(|bytes| bytes as usize),
        auth: grpc.auth.clone(),
        ..Grpc::new(grpc.max_concurrent_streams, grpc.keepalive)
    }
}

/// Sets `podstamp.guard.check`. Where a section should be and another value is, that value stays: parsing reports it as a fault.
fn check_full(document: &mut Value) {
    let mut section = document;
    for key in ["podstamp", "guard"] {
        let Some(next) = as_section(section).map(|section| section.entry(key).or_insert(Value::Null)) else {
            return;
        };
        section = next;
    }
    if let Some(guard) = as_section(section) {
        guard.insert("check".to_owned(), Value::from("full"));
    }
}

fn as_section(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

#[cfg(test)]
mod tests {
    use podstamp_core::directory::NoPods;

    use super::*;

    #[test]
    fn full_checking_is_set_whatever_stands_there() {
        for (document, expected) in [
            (r#"{}"#, r#"{"podstamp":{"guard":{"check":"full"}}}"#),
            (r#"{"podstamp":null}"#, r#"{"podstamp":{"guard":{"check":"full"}}}"#),
            (
                r#"{"podstamp":{"guard":{"check":"walk","enabled":false}}}"#,
                r#"{"podstamp":{"guard":{"check":"full","enabled":false}}}"#,
            ),
            (r#"{"podstamp":7}"#, r#"{"podstamp":7}"#),
        ] {
            let mut document: Value = serde_json::from_str(document).unwrap();
            check_full(&mut document);
            assert_eq!(document, serde_json::from_str::<Value>(expected).unwrap());
        }
    }

    #[test]
    fn a_directory_of_ones_own_takes_the_place_of_the_pods_file() {
        let mut document = default_document().unwrap();
        document["podstamp"] = serde_json::json!({"pods": {"file": "/nonexistent/pods.json"}});
        assert!(matches!(App::new(document.clone(), &Overrides::default()), Err(Error::Pods(_))));
        let app = App::with_directory(document, &Overrides::default(), Arc::new(NoPods)).unwrap();
        let notices: Vec<_> = app.notices().iter().map(|notice| notice.message.as_str()).collect();
        assert!(notices.iter().any(|message| message.starts_with("podstamp.pods")), "{notices:?}");
    }

    #[test]
    fn the_default_document_has_no_fault() {
        assert_eq!(config::parse(&default_document().unwrap()).err(), None);
    }
}
