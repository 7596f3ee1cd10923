//! One export request and its response, as they pass.

use std::rc::Rc;

use podstamp_core::answer::{Code, Failure};
use podstamp_core::hosting::labels::{Fate, Reason};
use podstamp_core::interface::{Answer, Encoding, Header, Report, Verdict};

use super::reply::Reply;
use crate::abi::map::Pairs;
use crate::abi::{Action, Headers, Refused, host};
use crate::budget::Held;
use crate::head::Head;
use crate::instruments::Instruments;
use crate::metrics::elapsed;
use crate::plugin::Plugin;

/// One export request and its response.
pub(crate) struct Exchange {
    pub(super) plugin: Rc<Plugin>,
    pub(super) instruments: Rc<Instruments>,
    pub(super) head: Head,
    /// The times at which a request that is timed began and went upstream, nanoseconds.
    begun: Option<u64>,
    pub(super) sent: Option<u64>,
    pub(super) report: Report,
    pub(super) stage: Stage,
}

/// How far an exchange has come.
pub(super) enum Stage {
    /// The body comes.
    Receiving {
        /// Bytes of the body that are there.
        size: usize,
    },
    /// The body has gone upstream. Where there is room it is kept as it came: it tells why an agent closed the connection.
    Sent(Option<Held>),
    /// Nothing of the body goes upstream, and the client gets this in place of what the upstream answers.
    Refusing(Answer),
    /// The upstream has succeeded, with a body of this content type, which is awaited and put into the client's encoding.
    Reading(Option<Vec<u8>>),
    /// The response's body is replaced by this one.
    Replacing(Vec<u8>),
    /// Nothing is left to do.
    Answered,
}

impl Exchange {
    /// Begins an exchange: turns the request's head into that of a request to the agent.
    pub(crate) fn begin(
        plugin: Rc<Plugin>,
        instruments: Rc<Instruments>,
        head: Head,
        headers: &Pairs<'_>,
        end: bool,
    ) -> (Self, Action) {
        let (report, stage) = (Report::default(), Stage::Receiving { size: 0 });
        let begun = instruments.metrics().begin();
        let mut exchange = Self { plugin, instruments, head, begun, sent: None, report, stage };
        if exchange.head.framed {
            exchange.refuse_frames();
            return (exchange, Action::Pause);
        }
        exchange.rewrite_head(headers);
        if let Err(refusal) = &exchange.head.coding {
            let (answer, reason) = (refusal.answer(exchange.head.encoding), refusal.reason());
            let action = exchange.refuse(answer, Some(reason));
            return (exchange, action);
        }
        if end {
            match exchange.prepare(&[]) {
                Verdict::Answer(answer) if !exchange.is_upstreams_to_say(&answer) => {
                    let reason = Reason::of(&answer);
                    let action = exchange.refuse(answer, reason);
                    return (exchange, action);
                }
                _ => exchange.stage = Stage::Sent(None),
            }
        }
        (exchange, Action::Continue)
    }

    /// Puts the agent's path and content type into the head, and takes the length away, which stamping changes. Envoy chooses
    /// the route again whenever a header of the request is changed.
    fn rewrite_head(&self, headers: &Pairs<'_>) {
        let exporter = &self.plugin.carried(self.head.signal).exporter;
        for name in ["content-length", "content-encoding", "accept-encoding", "grpc-encoding"] {
            if headers.value(name).is_some() {
                host::remove_header(Headers::Request, name);
            }
        }
        // The client keeps its own user agent.
        for Header { name, value } in self.plugin.filter().outbound_headers(self.head.signal) {
            if name != "user-agent" && headers.value(name) != Some(value) {
                self.changed(host::set_header(Headers::Request, name, value));
            }
        }
        self.changed(host::set_header(Headers::Request, ":path", exporter.target().as_bytes()));
    }

    pub(super) fn changed(&self, outcome: Result<(), Refused>) {
        if let Err(refused) = outcome {
            let message =
                || format!("the proxy does not let headers of requests be changed: status {}", refused.0);
            self.instruments.notices().warn("proxy-refused", message);
        }
    }

    /// Refuses gRPC with its frames, which the proxy has to take away: see the limits of this module.
    fn refuse_frames(&mut self) {
        let text = "this proxy takes no OTLP/gRPC: envoy.filters.http.grpc_http1_reverse_bridge has to stand ahead of podstamp";
        self.instruments.notices().warn("bridge-missing", || text.to_owned());
        self.instruments.metrics().refused(Reason::Protocol);
        let answer = Failure::new(415, Code::Unimplemented, text).answer(Encoding::Grpc);
        self.reply(&answer);
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.head.encoding
    }

    /// Asks the core what to do with a decoded body.
    pub(super) fn prepare(&mut self, body: &[u8]) -> Verdict {
        let (prepared, now) =
            self.plugin.prepare(&self.head.request(body), self.begun.is_some(), &self.instruments);
        (self.report, self.sent) = (prepared.report, now);
        prepared.verdict
    }

    /// Whether an answer is a success that a proxy cannot give: one without a body would have no content type, and a gRPC client
    /// takes no answer of the proxy's own for a success. So a batch without spans goes on, and the upstream answers it.
    pub(super) fn is_upstreams_to_say(&self, answer: &Answer) -> bool {
        answer.status == 200 && (answer.body.is_empty() || self.encoding() == Encoding::Grpc)
    }

    /// Counts an answer of the filter's, and logs it for the operator.
    pub(super) fn told(&self, answer: &Answer, reason: Option<Reason>) {
        if let Some(reason) = reason {
            self.instruments.metrics().refused(reason);
        }
        self.instruments.notices().emit_with(answer, &self.head.origin());
    }

    /// Gives the client this answer, and the upstream nothing.
    ///
    /// A gRPC client can be answered only once the upstream has: an answer of the proxy's before that goes through the
    /// bridge, which makes UNKNOWN of it. So an empty request goes upstream, which an agent takes as one without spans.
    pub(super) fn refuse(&mut self, answer: Answer, reason: Option<Reason>) -> Action {
        self.told(&answer, reason);
        if self.encoding() == Encoding::Grpc {
            self.stage = Stage::Refusing(answer);
            return Action::Continue;
        }
        self.reply(&answer);
        Action::Pause
    }

    /// Answers in place of the upstream. At most once a stream: a second time would leave the client waiting.
    pub(super) fn reply(&mut self, answer: &Answer) {
        self.ended(answer.status);
        let outcome = Reply::new(answer, self.encoding()).send();
        if let Err(refused) = outcome {
            let message = || format!("the proxy does not let an answer be sent: status {}", refused.0);
            self.instruments.notices().warn("proxy-refused", message);
        }
    }

    /// Counts an exchange whose client has its answer.
    pub(super) fn ended(&mut self, status: u16) {
        let metrics = self.instruments.metrics();
        metrics.answered(status, elapsed(self.begun.map(|_| host::now()), self.begun));
        metrics.ended(Fate::of(status), &self.report);
        self.instruments.counted();
        self.stage = Stage::Answered;
    }
}

impl Drop for Exchange {
    /// A client that goes away before it has its answer is counted.
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Answered) {
            self.instruments.metrics().cancelled();
            self.instruments.metrics().ended(Fate::Cancelled, &self.report);
            self.instruments.counted();
        }
    }
}
