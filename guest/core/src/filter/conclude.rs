//! What follows once an attempt to send has ended: an answer to the client, or another attempt.

use std::borrow::Cow;

use super::refusals::undecodable;
use super::{Filter, retry};
use crate::answer::{self, Code, Failure, noted, success};
use crate::config::Exporter;
use crate::fault::FaultKind;
use crate::guard::mend::mend;
use crate::interface::{Answer, Attempt, Encoding, Level, Next, Notice, Outcome, Signal};
use crate::message::diagnose_as;

impl Filter {
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
                // deepflow-agent has no TLS: an upstream with TLS is something else, or a proxy ahead of it.
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
                // No client waits for a copy, so that nobody else would send it again.
                if attempt.upstream > 0
                    && let Some(wait) = retry::wait(exporter, attempt, Some(*after))
                {
                    return Next::Retry(wait);
                }
                // No notice: the host logs once that the upstream is away, and not for each request.
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

    /// deepflow-agent closes the connection both on a body that it cannot decode and when it stops, and only the body tells
    /// which it was. A body that was made from JSON is sound, so it is not examined.
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

    /// The answer for the client where [`Next::Mend`] cannot be carried out; `body` is the one that [`Outcome::Closed`] carried.
    pub fn not_mended(&self, signal: Signal, encoding: Encoding, body: &[u8]) -> Answer {
        match diagnose_as(signal, body) {
            Err(fault) => undecodable(encoding, &fault),
            Ok(()) => {
                let exporter = &self.carried(signal).exporter;
                later(exporter, encoding, 503, "the upstream closed the connection", None)
            }
        }
    }
}

impl Attempt {
    /// Milliseconds in which the client has to have its answer, at most the exporter's `timeout`.
    fn patience(&self, timeout: u32) -> u32 {
        self.patience.min(timeout)
    }

    /// `text`, which says why a batch was not accepted, with the number of spans that were accepted before.
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

/// An answer that tells the client to try again: after the delay that the upstream asked for, else after the first interval
/// of the exporter's back-off.
///
/// gRPC's code is UNAVAILABLE even where the upstream answered 429, since not every SDK tries again after RESOURCE_EXHAUSTED.
fn later(exporter: &Exporter, encoding: Encoding, status: u16, message: &str, asked: Option<u32>) -> Answer {
    let retry_after = Some(asked.unwrap_or(exporter.retry.initial_interval));
    Failure { retry_after, ..Failure::new(status, Code::Unavailable, message) }.answer(encoding)
}

/// Gives notices of metrics and logs keys of their own, since each signal has an upstream of its own.
fn of_signal(signal: Signal, answer: Answer) -> Answer {
    let notice = answer.notice.map(|notice| match signal {
        Signal::Traces => notice,
        Signal::Metrics | Signal::Logs => {
            Notice { key: format!("{}-{}", notice.key, signal.name()).into(), ..notice }
        }
    });
    Answer { notice, ..answer }
}
