//! The fake agent that a server forwards to.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use podstamp_fake_agent::{Agent, Builder, Latch, Record, Script};
use podstamp_test_support::PATIENCE;
use prost::Message;

use crate::sent::inflated;

/// A fake agent on a runtime of its own.
pub(crate) struct FakeAgent {
    runtime: tokio::runtime::Runtime,
    agent: Option<Agent>,
}

impl FakeAgent {
    pub(crate) fn start() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let builder =
            Agent::builder().listen(([127, 0, 0, 1], 0).into()).on_abort(podstamp_fake_agent::Abort::Record);
        let agent = runtime.block_on(configure(builder).start()).unwrap();
        Self { runtime, agent: Some(agent) }
    }

    /// An agent that answers once the latch is open.
    pub(crate) fn behind(latch: &Latch) -> Self {
        Self::with(|builder| builder.play_always(Script::Import.behind(latch)))
    }

    /// An agent that reads requests and never answers.
    pub(crate) fn silent() -> Self {
        Self::behind(&Latch::default())
    }

    pub(crate) fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.agent().url()
    }

    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.agent().records()
    }

    /// Waits until so many spans were imported, counted since the start.
    pub(crate) fn wait_for_spans(&self, count: u64) {
        let arrived = async { tokio::time::timeout(PATIENCE, self.agent().wait_for_spans(count)).await };
        let totals = self.agent().totals();
        self.runtime.block_on(arrived).unwrap_or_else(|_| panic!("{count} spans do not come: {totals:?}"));
    }

    /// The messages that arrived and are remembered, where bodies are kept.
    pub(crate) fn messages(&self) -> Vec<ExportTraceServiceRequest> {
        let records = self.records();
        let messages = records.iter().map(|record| {
            let body = record.body.as_deref().unwrap();
            let plain = record.content_encoding.as_deref().map(|_| inflated(body));
            ExportTraceServiceRequest::decode(plain.as_deref().unwrap_or(body)).unwrap()
        });
        messages.collect()
    }

    /// The one message that arrived, which is forgotten.
    pub(crate) fn take_message(&self) -> ExportTraceServiceRequest {
        let mut messages = self.messages();
        assert_eq!(messages.len(), 1);
        self.agent().forget_records();
        messages.remove(0)
    }

    /// Service name and the address that DeepFlow would use, of every resource that arrived.
    pub(crate) fn placed(&self) -> Vec<(String, String)> {
        let records = self.records();
        let resources = records.iter().flat_map(|record| &record.resources);
        let mut placed: Vec<_> = resources
            .map(|resource| {
                let service =
                    resource.attribute("service.name").and_then(|value| value.as_str()).unwrap_or("");
                (service.to_owned(), resource.server_address.to_string())
            })
            .collect();
        placed.sort();
        placed
    }
}

impl Drop for FakeAgent {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            self.runtime.block_on(agent.shutdown());
        }
    }
}
