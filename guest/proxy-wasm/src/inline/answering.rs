//! The upstream's response, and the answer that is made of it.

use podstamp_core::answer::{Code, Failure, media_type};
use podstamp_core::hosting::MAX_RESPONSE;
use podstamp_core::hosting::labels::{Attempted, Reason};
use podstamp_core::interface::{Answer, Attempt, Encoding, Header, Level, Next, Notice, Outcome};

use super::exchange::{Exchange, Stage};
use super::reply;
use super::source::Source;
use crate::abi::{Action, Buffer, Headers, host};
use crate::budget::Held;
use crate::metrics::elapsed;

impl Exchange {
    /// The upstream answers, or the proxy in its place.
    pub(crate) fn response_headers(&mut self, end: bool) -> Action {
        let source = Source::current(self.encoding());
        match std::mem::replace(&mut self.stage, Stage::Answered) {
            Stage::Refusing(answer) => self.deliver(&answer, &source, end),
            Stage::Sent(kept) => self.concluded(kept, &source, end),
            Stage::Receiving { .. } => self.concluded(None, &source, end),
            stage => self.stage = stage,
        }
        Action::Continue
    }

    /// `size` bytes of the response's body are here.
    pub(crate) fn response_body(&mut self, size: usize, end: bool) -> Action {
        match (&self.stage, end) {
            (Stage::Reading(_) | Stage::Replacing(_), false) => Action::Pause,
            (Stage::Reading(_) | Stage::Replacing(_), true) => {
                self.replace(size);
                Action::Continue
            }
            _ => Action::Continue,
        }
    }

    /// The response's body has ended, with trailers.
    pub(crate) fn response_trailers(&mut self) {
        self.replace(usize::MAX);
    }

    fn concluded(&mut self, kept: Option<Held>, source: &Source, end: bool) {
        let took = elapsed(self.sent.map(|_| host::now()), self.sent);
        let attempted = match source {
            Source::Upstream(status) => Some(Attempted::with(*status)),
            Source::NotConnected(_) => Some(Attempted::NotConnected),
            Source::Closed => Some(Attempted::Closed),
            Source::TimedOut => Some(Attempted::TimedOut),
            Source::TooLarge | Source::Other(_) => None,
        };
        if let Some(attempted) = attempted {
            self.instruments.metrics().attempted(attempted, took);
        }
        let body = kept.as_ref().map_or(&[][..], Held::bytes);
        let answer = match source {
            Source::Upstream(status @ 200..=299) => return self.succeeded(*status, end),
            Source::Other(status) => return self.passes(*status),
            Source::Upstream(status) => {
                let headers = &host::headers(Headers::Response);
                self.conclude(&Outcome::Response { status: *status, headers, body: &[] })
            }
            Source::NotConnected(reason) => self.conclude(&Outcome::NotConnected(reason)),
            Source::Closed => self.conclude(&Outcome::Closed(body)),
            Source::TimedOut => self.timed_out(),
            Source::TooLarge => {
                let text = "the body is over what the proxy holds back (request_body_buffer_limit)";
                Failure::new(413, Code::ResourceExhausted, text).answer(self.encoding())
            }
        };
        let reason = if *source == Source::TooLarge { Reason::TooLarge } else { Reason::Upstream };
        self.instruments.metrics().refused(reason);
        self.instruments.notices().emit_of(&answer);
        self.deliver(&answer, source, end);
    }

    /// The answer after the timeout of the route, which the core does not know.
    fn timed_out(&self) -> Answer {
        let text = "no answer from the upstream within the timeout of the proxy's route";
        let message = format!("{}: {text}", self.plugin.carried(self.head.signal).exporter.url);
        let notice = Notice { level: Level::Error, key: "upstream-timeout".into(), message };
        let answer = Failure::new(504, Code::DeadlineExceeded, text).answer(self.encoding());
        Answer { notice: Some(notice), ..answer }
    }

    /// The upstream has taken the batch. Its body, if any, is the client's answer where both use the same encoding.
    fn succeeded(&mut self, status: u16, end: bool) {
        let is_json = self.encoding() == Encoding::Json;
        // A success in JSON has a body. Where the upstream's has none there is nothing to replace by it, so that it takes
        // another answer.
        if end && is_json {
            let answer = self.conclude(&Outcome::Response { status: 200, headers: &[], body: &[] });
            let headers = reply::with_cors(answer.headers, &host::headers(Headers::Response));
            return self.reply(&Answer { headers, ..answer });
        }
        if end {
            // Whatever type the upstream said: to ask for it first would be one more call.
            self.announce_type();
            return self.took(status);
        }
        let content_type = host::header(Headers::Response, CONTENT_TYPE);
        let is_protobuf = content_type
            .as_ref()
            .is_some_and(|value| value.starts_with(media_type(Encoding::Protobuf).as_bytes()));
        if is_protobuf && !is_json {
            return self.took(status);
        }
        self.stage = Stage::Reading(content_type);
        host::remove_header(Headers::Response, "content-length");
        self.announce_type();
        self.announce_status(200);
    }

    /// The client gets the upstream's own success, as the 200 that OTLP has.
    fn took(&mut self, status: u16) {
        if status != 200 {
            self.announce_status(200);
        }
        self.ended(200);
    }

    /// Another filter has answered. Its answer passes as it is, except for what the bridge needs of it.
    fn passes(&mut self, status: u16) {
        if self.encoding() == Encoding::Grpc {
            self.announce_type();
            self.announce_status(503);
        }
        self.ended(status);
    }

    /// Gives the client `answer`.
    fn deliver(&mut self, answer: &Answer, source: &Source, end: bool) {
        if let Source::Upstream(_) = source {
            return self.reply(answer);
        }
        // The proxy is answering already, and a second answer would leave the client waiting. So its own one is changed.
        let headers = reply::headers(answer, self.encoding());
        for name in ["content-length", "grpc-status", "grpc-message"] {
            host::remove_header(Headers::Response, name);
        }
        for header in &headers {
            self.changed(host::set_header(Headers::Response, &header.name, &header.value));
        }
        self.announce_type();
        self.announce_status(answer.status);
        self.ended(answer.status);
        if !end && self.encoding() != Encoding::Grpc {
            self.stage = Stage::Replacing(answer.body.clone());
        }
    }

    /// Sets the content type; for gRPC the one that the bridge takes and turns into gRPC's.
    fn announce_type(&self) {
        let encoding = match self.encoding() {
            Encoding::Json => Encoding::Json,
            Encoding::Protobuf | Encoding::Grpc => Encoding::Protobuf,
        };
        self.changed(host::set_header(Headers::Response, CONTENT_TYPE, media_type(encoding).as_bytes()));
    }

    /// Sets the status, which the bridge turns into the nearest of gRPC's.
    fn announce_status(&self, status: u16) {
        self.changed(host::set_header(Headers::Response, ":status", status.to_string().as_bytes()));
    }

    /// Puts the answer's body in place of the `size` bytes that came.
    fn replace(&mut self, size: usize) {
        let body = match std::mem::replace(&mut self.stage, Stage::Answered) {
            Stage::Replacing(body) => body,
            Stage::Reading(content_type) => {
                let said = host::buffer(Buffer::ResponseBody, 0, size.min(MAX_RESPONSE)).unwrap_or_default();
                let headers = content_type.map(|value| Header { name: CONTENT_TYPE.to_owned(), value });
                let headers = headers.as_slice();
                let outcome = Outcome::Response { status: 200, headers, body: &said };
                let answer = self.conclude(&outcome);
                self.ended(200);
                answer.body
            }
            stage => return self.stage = stage,
        };
        self.changed(host::set_buffer(Buffer::ResponseBody, 0, size, &body));
    }

    /// The core's answer to an outcome. Further attempts are not made here, but by the route.
    fn conclude(&self, outcome: &Outcome<'_>) -> Answer {
        let signal = self.head.signal;
        let attempt = Attempt {
            signal,
            upstream: 0,
            encoding: self.encoding(),
            number: 1,
            elapsed: u32::MAX,
            patience: u32::MAX,
            delivered: 0,
            random: 0,
        };
        match self.plugin.filter().conclude(&attempt, outcome) {
            Next::Answer(answer) => answer,
            // The body is gone from the proxy, and its attempts are the route's.
            Next::Mend(_) => match outcome {
                Outcome::Closed(body) => self.plugin.filter().not_mended(signal, self.encoding(), body),
                _ => Failure::new(500, Code::Internal, "nothing to mend").answer(self.encoding()),
            },
            Next::Retry(wait) => {
                let text = "the upstream is not ready";
                let failure = Failure::new(503, Code::Unavailable, text);
                Failure { retry_after: Some(wait), ..failure }.answer(self.encoding())
            }
        }
    }
}

const CONTENT_TYPE: &str = "content-type";
