//! A configuration that is ready to run.

use ipnet::IpNet;

use crate::claims::Claims;
use crate::config::carried::Carried;
use crate::config::podstamp::ProxyProtocol;
use crate::config::podstamp::admin::Admin;
use crate::config::podstamp::limits::Limits;
use crate::config::podstamp::pods::Pods;
use crate::config::podstamp::proxy_wasm::ProxyWasm;
use crate::config::podstamp::queue::Queue;
use crate::config::podstamp::upstream::Upstream;
use crate::config::processors::memory_limiter::MemoryLimiter;
use crate::config::receivers::otlp::Receiver;
use crate::directory::{Fields, KeptKeys};
use crate::interface::Notice;
use crate::pipeline::Pipeline;
use crate::signal::Signal;

/// A configuration, ready to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The pipeline of traces.
    pub traces: Carried,
    /// The pipeline of metrics. `None`: metrics are not carried.
    pub metrics: Option<Carried>,
    /// The pipeline of logs. `None`: logs are not carried.
    pub logs: Option<Carried>,
    /// Peers whose X-Forwarded-For, Forwarded and PROXY header are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Listeners whose connections from those peers begin with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// Whether each listener takes only the protocol that it is there for.
    pub strict_ports: bool,
    /// Whether actions may read the request's headers.
    pub include_metadata: bool,
    /// Lower-case names of the headers that they read.
    pub request_headers: Vec<String>,
    /// Where to receive.
    pub receiver: Receiver,
    /// How upstreams are connected to.
    pub upstream: Upstream,
    /// When a request goes into an exporter's queue.
    pub queue: Queue,
    /// The memory from which requests are refused: that of the first pipeline that lists one, since the process is one.
    pub memory_limiter: Option<MemoryLimiter>,
    /// Limits that the host keeps.
    pub limits: Limits,
    /// How long to take requests after the order to stop, milliseconds.
    pub drain_delay: u32,
    /// The admin listener; `None` for no such listener.
    pub admin: Option<Admin>,
    /// Where pods come from.
    pub pods: Pods,
    /// Settings of the proxy-wasm module.
    pub proxy_wasm: ProxyWasm,
    /// What an operator should know about this configuration.
    pub notices: Vec<Notice>,
}

impl Config {
    /// The pipeline of a signal. `None`: the signal is not carried.
    pub fn carried(&self, signal: Signal) -> Option<&Carried> {
        match signal {
            Signal::Traces => Some(&self.traces),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }

    /// The signals that are carried.
    pub fn signals(&self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(|signal| self.carried(*signal).is_some())
    }

    /// Which parts of pods the pipelines and the guard need. A directory with these alone answers as one that has them all.
    pub fn fields(&self) -> Fields {
        let rules = self.traces.rules;
        let stamps = rules.require_host_ip || rules.repair_host_ip;
        let guard_fields = if stamps { Claims::FIELDS } else { Fields::NONE };
        self.pipelines().map(Pipeline::fields).fold(guard_fields, Fields::union)
    }

    /// Which labels and annotations of pods the pipelines need. A directory need not keep the others.
    pub fn kept_keys(&self) -> KeptKeys {
        self.pipelines().map(Pipeline::kept_keys).fold(KeptKeys::default(), KeptKeys::union)
    }

    /// The pipelines of all signals that are carried.
    pub(crate) fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        Signal::ALL.into_iter().filter_map(|signal| Some(&self.carried(signal)?.pipeline))
    }
}
