//! The way of one request, whatever it came in by: prepare, send, conclude.

use std::sync::Arc;

use podstamp_core::config::Fault;
use podstamp_core::exchange::{Answer, Report, Verdict};

use crate::calls::Calls;
use crate::exporter::Exporter;
use crate::filter::{Failure, Filter, Incoming};
use crate::metrics::{Fate, Metrics};
use crate::notices::Notices;
use crate::settings::Settings;

/// Takes requests to the filter and on to the upstream.
pub(crate) struct Relay {
    calls: Arc<Calls>,
    exporter: Exporter,
    filter: Arc<dyn Filter>,
    metrics: Arc<Metrics>,
    notices: Arc<Notices>,
}

impl Relay {
    /// Relays what `filter` decides. The error says what of the upstream's settings is of no use.
    pub(crate) fn new(
        filter: Arc<dyn Filter>,
        settings: &Settings,
        metrics: Arc<Metrics>,
        notices: Arc<Notices>,
    ) -> Result<Self, Fault> {
        let calls = Arc::new(Calls::new(
            Arc::clone(&filter),
            settings.limits.large_calls,
            Arc::clone(&metrics),
            Arc::clone(&notices),
        ));
        let (of_calls, of_metrics, of_notices) =
            (Arc::clone(&calls), Arc::clone(&metrics), Arc::clone(&notices));
        let exporter = Exporter::new(&settings.upstream, of_calls, of_metrics, of_notices)?;
        Ok(Self { calls, exporter, filter, metrics, notices })
    }

    /// Names of the request headers that the filter reads, in lower case.
    pub(crate) fn request_headers(&self) -> &[String] {
        self.filter.request_headers()
    }

    /// What to answer a request. It returns once the upstream has acknowledged, or will not.
    pub(crate) async fn handle(&self, incoming: Incoming) -> Result<Answer, Failure> {
        let (incoming, prepared) = self.calls.prepare(incoming).await?;
        self.metrics.met(&prepared.report);
        let tally = Tally { metrics: &self.metrics, report: prepared.report, fate: Fate::Cancelled };
        let answered = match prepared.verdict {
            Verdict::Answer(answer) => Ok(answer),
            Verdict::Forward(outbound) => self.exporter.send(incoming.body, outbound).await,
        };
        tally.end(match &answered {
            Ok(Answer { status: 200..=299, .. }) => Fate::Accepted,
            Ok(Answer { status: 429 | 500.., .. }) | Err(_) => Fate::Failed,
            Ok(_) => Fate::Refused,
        });
        if let Ok(Answer { notice: Some(notice), .. }) = &answered {
            self.notices.emit(notice);
        }
        answered
    }
}

/// Counts what became of a request's spans, also where its client goes away meanwhile and this is simply dropped.
struct Tally<'a> {
    metrics: &'a Metrics,
    report: Report,
    fate: Fate,
}

impl Tally<'_> {
    fn end(mut self, fate: Fate) {
        self.fate = fate;
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.metrics.ended(self.fate, &self.report);
    }
}
