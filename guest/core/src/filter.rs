//! The filter itself: what to send where, and what to answer.

mod conclude;
mod encoding;
mod examine;
mod refusals;
mod retry;
mod rewrite;
mod told;
mod unrecognised;

use serde_json::Value as Json;

use crate::address;
use crate::answer::{Code, Failure, noted, success};
use crate::config::{self, Carried, Config, Exporter, Fault};
use crate::context::Context;
use crate::directory::Directory;
use crate::fault::{BodyFault, FaultKind};
use crate::guard::Rules;
use crate::guard::checks::Checks;
use crate::guard::mend::mend;
use crate::interface::Mended;
use crate::interface::{
    Answer, Attempt, Content, Encoding, Header, Level, Notice, Outbound, Part, Prepared, Report, Request,
    Signal, Upstream, Verdict,
};
use crate::json;
use crate::message::diagnose_as;
use crate::stamps::{Origin, Stamps};
use crate::trace::{Walked, walk_with};
use encoding::encoding;
use refusals::{refused, too_large, unsupported_type};
use rewrite::Rewrite;
use told::told;
use unrecognised::unrecognised;

/// A configured filter.
#[derive(Debug)]
pub struct Filter {
    config: Config,
    request_headers: Vec<String>,
    /// The upstreams of each signal; `None` for a signal without a pipeline.
    upstreams: [Option<Upstreams>; 3],
}

/// What a call of [`Filter::prepare_with`] asks and what it tells, besides the verdict.
struct Call<'c> {
    directory: &'c dyn Directory,
    stamps: &'c mut Stamps,
    report: Report,
    notices: Vec<Notice>,
}

impl<'c> Call<'c> {
    fn new(directory: &'c dyn Directory, stamps: &'c mut Stamps) -> Self {
        Self { directory, stamps, report: Report::default(), notices: Vec::new() }
    }
}

#[derive(Clone, Debug)]
struct Upstreams {
    first: Upstream,
    copies: Vec<Upstream>,
}

impl Filter {
    /// Compiles the Collector's configuration document.
    pub fn configure(document: &Json) -> Result<Self, Vec<Fault>> {
        config::parse(document).map(Self::new)
    }

    /// A filter with a configuration that is compiled already.
    pub fn new(config: Config) -> Self {
        let mut request_headers =
            ["content-type", "forwarded", "x-forwarded-for"].map(str::to_owned).to_vec();
        request_headers.extend(config.request_headers.iter().cloned());
        let upstreams = Signal::ALL.map(|signal| config.carried(signal).map(Upstreams::new));
        Self { config, request_headers, upstreams }
    }

    /// Names of the request headers that [`Filter::prepare`] reads, in lower case.
    pub fn request_headers(&self) -> &[String] {
        &self.request_headers
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Headers of each request to the upstream of a signal, besides content-length.
    pub fn outbound_headers(&self, signal: Signal) -> &[Header] {
        self.upstreams(signal).map_or(&[], |upstreams| &upstreams.first.headers)
    }

    /// What a person should know about the configuration.
    pub fn notices(&self) -> &[Notice] {
        &self.config.notices
    }

    /// Checks a request, runs the pipeline over each of its resources and says what to send where.
    pub fn prepare(&self, request: &Request<'_>, directory: &dyn Directory) -> Prepared {
        self.prepare_with(request, directory, &mut Stamps::default())
    }

    /// [`Filter::prepare`], with what resources of earlier requests were stamped with. The result is the same, and comes faster where a
    /// resource has come before and the directory is in the same state. `stamps` may be used with this filter only, and with one
    /// directory.
    pub fn prepare_with(
        &self,
        request: &Request<'_>,
        directory: &dyn Directory,
        stamps: &mut Stamps,
    ) -> Prepared {
        let mut call = Call::new(directory, stamps);
        let verdict = match encoding(request) {
            Err(encoding) => Verdict::Answer(unsupported_type(encoding)),
            Ok(encoding) if self.upstreams(request.signal).is_none() => {
                Verdict::Answer(self.not_carried(request.signal, encoding))
            }
            Ok(Encoding::Json) => self.prepare_json(request, &mut call),
            Ok(encoding) => self.prepare_protobuf(request, encoding, &mut call),
        };
        Prepared { verdict, report: call.report, notices: call.notices }
    }

    /// A body that is not OTLP/JSON is refused under any configuration, since there is nothing that could be sent on.
    fn prepare_json(&self, request: &Request<'_>, call: &mut Call<'_>) -> Verdict {
        let body = match json::transcode_as(request.signal, request.body) {
            Ok(body) => body,
            Err(fault) => return refused(Encoding::Json, &fault, &mut call.report),
        };
        if body.is_empty() && !unrecognised::is_empty(request.signal, request.body) {
            return Verdict::Answer(unrecognised(request.signal, Encoding::Json));
        }
        let transcoded = Request { body: &body, ..*request };
        match self.prepare_protobuf(&transcoded, Encoding::Json, call) {
            Verdict::Forward(outbound) => {
                let content = outbound.content.in_place_of(body);
                Verdict::Forward(Outbound { content, ..outbound })
            }
            answer => answer,
        }
    }

    fn prepare_protobuf(&self, request: &Request<'_>, encoding: Encoding, call: &mut Call<'_>) -> Verdict {
        let rules = self.rules(request.signal);
        let rewritten = match self.check_and_rewrite(request, call) {
            Err(fault) if fault.kind == FaultKind::Utf8 && rules.mend_text => {
                call.report = Report::default();
                self.mend_and_rewrite(request, call)
            }
            rewritten => rewritten,
        };
        let (content, parts) = match rewritten {
            Ok(_) if call.report.resources == 0 => {
                let Request { signal, body, .. } = *request;
                return Verdict::Answer(match body {
                    [] => success(signal, encoding, None),
                    _ => unrecognised(signal, encoding),
                });
            }
            Ok(rewritten) => rewritten,
            Err(fault) if fault.kind == FaultKind::Unsplittable => {
                return too_large(encoding, &fault, "deepflow-agent", &mut call.report);
            }
            // Refused under any configuration: sent on as it came, the body would lack addresses.
            Err(fault) if matches!(fault.kind, FaultKind::TooMany(_)) => {
                return too_large(encoding, &fault, "one request", &mut call.report);
            }
            // With `refuse_undecodable` off, a body is sent on with its faults.
            Err(_) if !rules.refuse_undecodable => {
                (Content::Unchanged, vec![Part::whole(request.body.len())])
            }
            Err(fault) => return refused(encoding, &fault, &mut call.report),
        };
        let Some(Upstreams { first, copies }) = self.upstreams(request.signal).cloned() else {
            return Verdict::Answer(self.not_carried(request.signal, encoding));
        };
        let Upstream { url, headers, timeout } = first;
        Verdict::Forward(Outbound { url, headers, timeout, copies, content, parts, encoding })
    }

    fn check_and_rewrite(
        &self,
        request: &Request<'_>,
        call: &mut Call<'_>,
    ) -> Result<(Content, Vec<Part>), BodyFault> {
        if self.rules(request.signal).check_full {
            diagnose_as(request.signal, request.body)?;
        }
        self.rewrite(request, call)
    }

    /// [`Self::check_and_rewrite`] after mending the texts. The result replaces the whole body, since edits to each text could
    /// take more than the body itself.
    fn mend_and_rewrite(
        &self,
        request: &Request<'_>,
        call: &mut Call<'_>,
    ) -> Result<(Content, Vec<Part>), BodyFault> {
        let Mended { body, texts } = mend(request.body);
        let mended = Request { body: &body, ..*request };
        let (content, parts) = self.check_and_rewrite(&mended, call)?;
        call.report.texts_mended = texts;
        Ok((content.in_place_of(body), parts))
    }

    fn rewrite(&self, request: &Request<'_>, call: &mut Call<'_>) -> Result<(Content, Vec<Part>), BodyFault> {
        let Carried { pipeline, rules, .. } = self.carried(request.signal);
        let Call { directory, stamps, report, notices } = call;
        let connection = address::connection(request, &self.config.trusted_proxies);
        let context = Context::new(request, connection, *directory, self.config.include_metadata)
            .with_brief_lookups(pipeline.is_brief());
        let checks = Checks { signal: request.signal, ..rules.checks(request.now) };
        let stamps = directory.state().map(|state| {
            stamps.begin(state);
            &mut **stamps
        });
        let rewrite = Rewrite {
            pipeline,
            rules: *rules,
            context: &context,
            directory: *directory,
            report,
            stamps,
            origin: Origin { connection, signal: request.signal },
            source: None,
        };
        let walked = walk_with(request.body, &checks, rewrite)?;
        notices.extend(told(&walked, connection.or(request.peer)));
        *report = Report {
            resources: walked.resources,
            spans: walked.spans,
            kinds_cleared: walked.kinds_cleared,
            resources_created: walked.resources_created,
            peers_renamed: walked.peers_renamed,
            spans_moved: walked.times.moved,
            spans_far: walked.times.far,
            spans_senseless: walked.times.senseless,
            names_cut: walked.names_cut,
            requests_split: u32::from(walked.parts.len() > 1),
            ..*report
        };
        let Walked { edits, parts, .. } = walked;
        Ok((if edits.is_empty() { Content::Unchanged } else { Content::Edited(edits) }, parts))
    }

    /// The answer to a request of a signal without a pipeline.
    fn not_carried(&self, signal: Signal, encoding: Encoding) -> Answer {
        let text = signal.not_carried(self.config.signals().count() > 1);
        let answer = Failure::new(404, Code::Unimplemented, &text).answer(encoding);
        let key = match signal {
            Signal::Logs => "logs-not-carried",
            Signal::Metrics | Signal::Traces => "metrics-not-carried",
        };
        noted(answer, Level::Warning, key, format!("a request was refused: {text}"))
    }

    fn upstreams(&self, signal: Signal) -> Option<&Upstreams> {
        self.upstreams.get(signal as usize)?.as_ref()
    }

    /// What the configuration says of a signal. Callers ask only for signals that are carried; any other gets what traces have.
    fn carried(&self, signal: Signal) -> &Carried {
        self.config.carried(signal).unwrap_or(&self.config.traces)
    }

    fn rules(&self, signal: Signal) -> &Rules {
        &self.carried(signal).rules
    }

    /// The exporter that an attempt went to; the first one where there is no copy of that number.
    fn exporter(&self, attempt: &Attempt) -> &Exporter {
        let Carried { exporter, copies, .. } = self.carried(attempt.signal);
        let copy = (attempt.upstream as usize).checked_sub(1).and_then(|index| copies.get(index));
        copy.unwrap_or(exporter)
    }
}

impl Upstreams {
    fn new(carried: &Carried) -> Self {
        Self {
            first: carried.exporter.upstream(),
            copies: carried.copies.iter().map(Exporter::upstream).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
