//! The filter itself: what to send where, and what to answer.

mod retry;
mod unrecognised;

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::address;
use crate::answer::{self, Code, Failure, JSON, PROTOBUF, noted, success};
use crate::config::{self, AGENT_PATHS, Carried, Config, Exporter, Fault};
use crate::context::Context;
use crate::directory::Directory;
use crate::fault::{BodyFault, FaultKind};
use crate::guard::Rules;
use crate::guard::checks::Checks;
use crate::guard::mend::mend;
use crate::hosting::labels::Label as _;
use crate::interface::Mended;
use crate::interface::{
    Answer, Attempt, Content, Encoding, Header, Level, Next, Notice, Outbound, Outcome, Part, Prepared,
    Report, Request, Signal, Upstream, Verdict,
};
use crate::json;
use crate::message::diagnose_as;
use crate::trace::{Walked, walk};
use unrecognised::unrecognised;

/// A configured filter.
#[derive(Debug)]
pub struct Filter {
    config: Config,
    request_headers: Vec<String>,
    /// Where each signal goes, and behind it its copies. None: it is not carried.
    upstreams: [Option<Upstreams>; 3],
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
        let mut report = Report::default();
        let mut notices = Vec::new();
        let verdict = match encoding(request) {
            Err(encoding) => Verdict::Answer(unsupported_type(encoding)),
            Ok(encoding) if self.upstreams(request.signal).is_none() => {
                Verdict::Answer(self.not_carried(request.signal, encoding))
            }
            Ok(Encoding::Json) => self.prepare_json(request, directory, &mut report, &mut notices),
            Ok(encoding) => self.prepare_protobuf(request, encoding, directory, &mut report, &mut notices),
        };
        Prepared { verdict, report, notices }
    }

    /// What is no OTLP/JSON is refused under any configuration: there is nothing that could be sent on.
    fn prepare_json(
        &self,
        request: &Request<'_>,
        directory: &dyn Directory,
        report: &mut Report,
        notices: &mut Vec<Notice>,
    ) -> Verdict {
        let body = match json::transcode_as(request.signal, request.body) {
            Ok(body) => body,
            Err(fault) => return refused(Encoding::Json, &fault, report),
        };
        if body.is_empty() && !unrecognised::is_empty(request.signal, request.body) {
            return Verdict::Answer(unrecognised(request.signal, Encoding::Json));
        }
        let transcoded = Request { body: &body, ..*request };
        match self.prepare_protobuf(&transcoded, Encoding::Json, directory, report, notices) {
            Verdict::Forward(outbound) => {
                let content = outbound.content.in_place_of(body);
                Verdict::Forward(Outbound { content, ..outbound })
            }
            answer => answer,
        }
    }

    fn prepare_protobuf(
        &self,
        request: &Request<'_>,
        encoding: Encoding,
        directory: &dyn Directory,
        report: &mut Report,
        notices: &mut Vec<Notice>,
    ) -> Verdict {
        let rules = self.rules(request.signal);
        let rewritten = match self.check_and_rewrite(request, directory, report, notices) {
            Err(fault) if fault.kind == FaultKind::Utf8 && rules.mend_text => {
                *report = Report::default();
                self.mend_and_rewrite(request, directory, report, notices)
            }
            rewritten => rewritten,
        };
        let (content, parts) = match rewritten {
            Ok(_) if report.resources == 0 => {
                let Request { signal, body, .. } = *request;
                return Verdict::Answer(match body {
                    [] => success(signal, encoding, None),
                    _ => unrecognised(signal, encoding),
                });
            }
            Ok(rewritten) => rewritten,
            Err(fault) if fault.kind == FaultKind::Unsplittable => {
                return too_large(encoding, &fault, "deepflow-agent", report);
            }
            // Unchecked it would go on without addresses.
            Err(fault) if matches!(fault.kind, FaultKind::TooMany(_)) => {
                return too_large(encoding, &fault, "one request", report);
            }
            // Whoever turns the rule off wants the body to go on, fault and all.
            Err(_) if !rules.refuse_undecodable => {
                (Content::Unchanged, vec![Part::whole(request.body.len())])
            }
            Err(fault) => return refused(encoding, &fault, report),
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
        directory: &dyn Directory,
        report: &mut Report,
        notices: &mut Vec<Notice>,
    ) -> Result<(Content, Vec<Part>), BodyFault> {
        if self.rules(request.signal).check_full {
            diagnose_as(request.signal, request.body)?;
        }
        self.rewrite(request, directory, report, notices)
    }

    /// The same with the texts mended. What comes of it is another body: a change to each text could be more than all of it.
    fn mend_and_rewrite(
        &self,
        request: &Request<'_>,
        directory: &dyn Directory,
        report: &mut Report,
        notices: &mut Vec<Notice>,
    ) -> Result<(Content, Vec<Part>), BodyFault> {
        let Mended { body, texts } = mend(request.body);
        let mended = Request { body: &body, ..*request };
        let (content, parts) = self.check_and_rewrite(&mended, directory, report, notices)?;
        report.texts_mended = texts;
        Ok((content.in_place_of(body), parts))
    }

    fn rewrite(
        &self,
        request: &Request<'_>,
        directory: &dyn Directory,
        report: &mut Report,
        notices: &mut Vec<Notice>,
    ) -> Result<(Content, Vec<Part>), BodyFault> {
        let Carried { pipeline, rules, .. } = self.carried(request.signal);
        let connection = address::connection(request, &self.config.trusted_proxies);
        let context = Context::new(request, connection, directory, self.config.include_metadata);
        let checks = Checks { signal: request.signal, ..rules.checks(request.now) };
        let walked = walk(request.body, &checks, |resource| {
            let run = pipeline.run(resource, &context);
            rules.enforce(resource, &run, &|pod| pipeline.excludes(pod), &context, report);
        })?;
        let peer = connection.or(request.peer).map_or_else(|| "a client".to_owned(), |peer| peer.to_string());
        notices.extend(walked.times.notices(walked.spans, &peer));
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
            ..*report
        };
        let Walked { edits, parts, .. } = walked;
        Ok((if edits.is_empty() { Content::Unchanged } else { Content::Edited(edits) }, parts))
    }

    /// Reads how an attempt to send ended: what to answer the client, or when to try again.
    pub fn conclude(&self, attempt: &Attempt, outcome: &Outcome<'_>) -> Next {
        let Attempt { signal, encoding, .. } = *attempt;
        let exporter = self.exporter(attempt);
        let Exporter { url, url_key: fix, .. } = exporter;
        let failed =
            |status, code, text: &str| Failure::new(status, code, &attempt.told(text)).answer(encoding);
        let later = |status, text: &str, asked| later(exporter, encoding, status, &attempt.told(text), asked);
        let answer = match outcome {
            Outcome::Response { status: 200..=299, headers, body } => {
                success(signal, encoding, answer::partial_success(headers, body))
            }
            Outcome::Response { status: status @ (429 | 502..=504), headers, .. } => {
                let asked = retry::asked_delay(headers);
                if let Some(wait) = retry::wait(exporter, attempt, asked) {
                    return Next::Retry(wait);
                }
                let text = format!("the upstream answered {status} to {} attempts", attempt.number);
                let answer = later(*status, &text, asked);
                noted(answer, Level::Warning, "upstream-busy", format!("{url}: {text}"))
            }
            Outcome::Response { status: 404 | 405, .. } => {
                let agent = match signal {
                    Signal::Traces => "; deepflow-agent takes them at /api/v1/otel/trace",
                    Signal::Metrics | Signal::Logs => "",
                };
                let text = format!("{url} has nothing that takes {}{agent}: correct {fix}", signal.name());
                noted(failed(500, Code::Internal, &text), Level::Error, "upstream-not-found", text)
            }
            Outcome::Response { status: status @ (400 | 413), .. } => {
                let text = format!("the upstream refused the batch with {status}");
                let code = if *status == 400 { Code::InvalidArgument } else { Code::ResourceExhausted };
                let message = format!("{url}: {text}");
                noted(failed(*status, code, &text), Level::Warning, "upstream-refused", message)
            }
            Outcome::Response { status, .. } => {
                let text = format!("the upstream answered {status}");
                let message = format!("{url}: {text}; see {fix}");
                noted(failed(500, Code::Internal, &text), Level::Error, "upstream-status", message)
            }
            Outcome::NotConnected(reason) => {
                if let Some(wait) = retry::wait(exporter, attempt, None) {
                    return Next::Retry(wait);
                }
                let answer = later(503, "the upstream cannot be reached", None);
                let tries = attempt.number;
                // deepflow-agent itself has no TLS: who answers by it is somebody else, or stands ahead of it.
                let text = match &exporter.tls {
                    None if signal == Signal::Traces => format!(
                        "no connection to {url} in {tries} attempts: {reason}; is deepflow-agent's integration on \
                         (inputs.integration.enabled), and the port right (the Service has 80, the pod 38086)? See {fix}"
                    ),
                    _ => format!("no connection to {url} in {tries} attempts: {reason}; see {fix}"),
                };
                noted(answer, Level::Error, "upstream-unreachable", text)
            }
            Outcome::Away { reason, after } => {
                // A copy has nobody who could come again.
                if attempt.upstream > 0
                    && let Some(wait) = retry::wait(exporter, attempt, Some(*after))
                {
                    return Next::Retry(wait);
                }
                // The host tells once that it is away, and not for each request.
                later(503, &format!("the upstream cannot be reached: {reason}"), Some(*after))
            }
            Outcome::Waited => {
                let text = format!(
                    "the upstream was busy with others for {} ms",
                    attempt.patience(exporter.timeout)
                );
                let message = format!("{url}: {text}, so that a client was told to come again");
                noted(later(503, &text, None), Level::Warning, "upstream-slow", message)
            }
            Outcome::Closed(body) => return self.closed(exporter, attempt, body),
            Outcome::TimedOut => {
                let time = attempt.patience(exporter.timeout);
                let text = format!(
                    "no answer from the upstream within {time} ms; it may take the batch all the same"
                );
                let text = attempt.told(&text);
                let failure = Failure {
                    retry_after: Some(exporter.retry.initial_interval),
                    ..Failure::new(504, Code::DeadlineExceeded, &text)
                };
                let message = format!("{url}: {text}");
                noted(failure.answer(encoding), Level::Error, "upstream-timeout", message)
            }
            Outcome::Oversized => {
                let text = "the upstream's answer is over 4 MiB, or has over 100 headers or 400 KiB of them";
                let message = format!("{url}: {text}; is it an agent? See {fix}");
                noted(failed(500, Code::Internal, text), Level::Error, "upstream-oversized", message)
            }
        };
        Next::Answer(of_signal(signal, answer))
    }

    /// deepflow-agent closes on a body that it cannot decode, and when it stops: only the body can tell which it was.
    /// What JSON was turned into is sound, so there the body has nothing to tell.
    fn closed(&self, exporter: &Exporter, attempt: &Attempt, body: &[u8]) -> Next {
        let Attempt { signal, encoding, .. } = *attempt;
        let rules = self.rules(signal);
        let asks = encoding != Encoding::Json && (rules.mend_text || rules.refuse_undecodable);
        let mut found = if asks { diagnose_as(signal, body) } else { Ok(()) };
        if rules.mend_text && found.as_ref().is_err_and(|fault| fault.kind == FaultKind::Utf8) {
            let mended = mend(body);
            found = diagnose_as(signal, &mended.body);
            if found.is_ok() {
                return Next::Mend(mended);
            }
        }
        if rules.refuse_undecodable
            && let Err(fault) = found
        {
            return Next::Answer(undecodable(encoding, &fault));
        }
        let text = "the upstream closed the connection without an answer, and the batch is sound";
        let answer = later(exporter, encoding, 503, &attempt.told(text), None);
        let answer = noted(answer, Level::Error, "upstream-closed", format!("{}: {text}", exporter.url));
        Next::Answer(of_signal(signal, answer))
    }

    /// What to answer where [`Next::Mend`] cannot be done, with the `body` that [`Outcome::Closed`] carried.
    pub fn not_mended(&self, signal: Signal, encoding: Encoding, body: &[u8]) -> Answer {
        match diagnose_as(signal, body) {
            Err(fault) => undecodable(encoding, &fault),
            Ok(()) => {
                let exporter = &self.carried(signal).exporter;
                later(exporter, encoding, 503, "the upstream closed the connection", None)
            }
        }
    }

    /// For a signal without a pipeline.
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

    /// What becomes of a signal; of one that is not carried nobody asks.
    fn carried(&self, signal: Signal) -> &Carried {
        self.config.carried(signal).unwrap_or(&self.config.traces)
    }

    fn rules(&self, signal: Signal) -> &Rules {
        &self.carried(signal).rules
    }

    /// The exporter that an attempt went to.
    fn exporter(&self, attempt: &Attempt) -> &Exporter {
        let Carried { exporter, copies, .. } = self.carried(attempt.signal);
        let copy = (attempt.upstream as usize).checked_sub(1).and_then(|index| copies.get(index));
        copy.unwrap_or(exporter)
    }
}

impl Upstreams {
    fn new(carried: &Carried) -> Self {
        let upstream = |exporter: &Exporter| Upstream {
            url: exporter.url.clone(),
            headers: headers(exporter),
            timeout: exporter.timeout,
        };
        Self { first: upstream(&carried.exporter), copies: carried.copies.iter().map(upstream).collect() }
    }
}

impl Attempt {
    /// Milliseconds in which the client has to have its answer.
    fn patience(&self, timeout: u32) -> u32 {
        self.patience.min(timeout)
    }

    /// Why a batch was not accepted, and how much of it was.
    fn told<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.delivered {
            0 => text.into(),
            spans => format!(
                "{text}; {spans} of its spans went ahead in another request and have arrived: whoever sends the batch again \
                 sends those twice"
            )
            .into(),
        }
    }
}

/// The client should come again: when the upstream asked for, or after the first interval of our own back-off.
///
/// UNAVAILABLE also where the upstream says 429, since not every SDK tries again after RESOURCE_EXHAUSTED.
fn later(exporter: &Exporter, encoding: Encoding, status: u16, message: &str, asked: Option<u32>) -> Answer {
    let retry_after = Some(asked.unwrap_or(exporter.retry.initial_interval));
    Failure { retry_after, ..Failure::new(status, Code::Unavailable, message) }.answer(encoding)
}

fn headers(exporter: &Exporter) -> Vec<Header> {
    let mut headers = vec![
        Header::new("content-type", PROTOBUF),
        Header::new("user-agent", concat!("podstamp/", env!("CARGO_PKG_VERSION"))),
    ];
    headers.extend(exporter.headers.iter().cloned());
    headers
}

/// The encoding that a request's content type names; the one to answer in if it names none that OTLP has.
///
/// Whoever speaks to deepflow-agent may leave it out, since the agent never looks at it.
fn encoding(request: &Request<'_>) -> Result<Encoding, Encoding> {
    let Some(value) = request.header("content-type").next() else {
        return if AGENT_PATHS.contains(&request.path) {
            Ok(Encoding::Protobuf)
        } else {
            Err(Encoding::Protobuf)
        };
    };
    let value = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |known: &str| value.eq_ignore_ascii_case(known.as_bytes());
    if is(PROTOBUF) {
        Ok(Encoding::Protobuf)
    } else if is(JSON) {
        Ok(Encoding::Json)
    } else if is("application/grpc") || is("application/grpc+proto") {
        Ok(Encoding::Grpc)
    } else {
        Err(Encoding::Protobuf)
    }
}

fn unsupported_type(encoding: Encoding) -> Answer {
    let text = "content-type has to be application/x-protobuf or application/json";
    let answer = Failure::new(415, Code::InvalidArgument, text).answer(encoding);
    noted(answer, Level::Warning, "content-type", format!("a request was refused: {text}"))
}

fn refused(encoding: Encoding, fault: &BodyFault, report: &mut Report) -> Verdict {
    *report = Report { refused: 1, ..Report::default() };
    Verdict::Answer(undecodable(encoding, fault))
}

fn too_large(encoding: Encoding, fault: &BodyFault, whom: &str, report: &mut Report) -> Verdict {
    *report = Report { refused: 1, ..Report::default() };
    let text = format!("the batch is too much for {whom}: {fault}");
    let failure = Failure { fault: Some(fault), ..Failure::new(413, Code::ResourceExhausted, &text) };
    Verdict::Answer(noted(failure.answer(encoding), Level::Warning, "batch-too-large", text))
}

fn undecodable(encoding: Encoding, fault: &BodyFault) -> Answer {
    let text = format!("the batch cannot be decoded: {fault}");
    let failure = Failure { fault: Some(fault), ..Failure::new(400, Code::InvalidArgument, &text) };
    noted(failure.answer(encoding), Level::Warning, "batch-refused", text)
}

/// Notices of other signals than traces go by keys of their own: each signal has another upstream.
fn of_signal(signal: Signal, answer: Answer) -> Answer {
    let notice = answer.notice.map(|notice| match signal {
        Signal::Traces => notice,
        Signal::Metrics | Signal::Logs => {
            Notice { key: format!("{}-{}", notice.key, signal.name()).into(), ..notice }
        }
    });
    Answer { notice, ..answer }
}

#[cfg(test)]
mod tests;
