//! A filter made of closures.

use bytes::Bytes;
use podstamp::sandbox::{BodyFault, Ended, Failure, FilterRunner, ReceivedRequest};
use podstamp_core::interface::{
    Answer, Attempt, Content, Encoding, Header, Next, Outbound, Part, Prepared, Report, Signal, Verdict,
};

type Prepare = dyn Fn(&ReceivedRequest) -> Result<Verdict, Failure> + Send + Sync;
type Conclude = dyn Fn(Attempt, &Ended) -> Result<Next, Failure> + Send + Sync;

pub(crate) struct Fake {
    headers: Vec<String>,
    prepare: Box<Prepare>,
    conclude: Box<Conclude>,
}

impl Fake {
    /// A filter that answers by itself.
    pub(crate) fn answering(
        prepare: impl Fn(&ReceivedRequest) -> Result<Verdict, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self {
            headers: vec!["content-type".to_owned(), "x-forwarded-for".to_owned()],
            prepare: Box::new(prepare),
            conclude: Box::new(|_, ended| Ok(Next::Answer(told(ended)))),
        }
    }

    /// A filter that forwards everything as it is, and tells the client how that ended.
    pub(crate) fn forwarding(url: String) -> Self {
        Self::answering(move |_| Ok(forward(&url, Content::Unchanged)))
    }

    /// A filter that forwards everything, with so much time for the upstream, in milliseconds.
    pub(crate) fn forwarding_within(timeout: u32, url: String) -> Self {
        Self::answering(move |_| {
            let outbound = outbound(&url, Content::Unchanged);
            Ok(Verdict::Forward(Outbound { timeout, ..outbound }))
        })
    }

    pub(crate) fn concluding(
        self,
        conclude: impl Fn(Attempt, &Ended) -> Result<Next, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { conclude: Box::new(conclude), ..self }
    }
}

impl FilterRunner for Fake {
    fn request_headers(&self) -> &[String] {
        &self.headers
    }

    fn prepare(&self, request: &ReceivedRequest) -> Result<Prepared, Failure> {
        let mut verdict = (self.prepare)(request)?;
        if let Verdict::Forward(Outbound { content, parts, .. }) = &mut verdict
            && parts.is_empty()
        {
            *parts = vec![Part { end: content.length(request.body.len()) as u32, spans: 3, memory: 0 }];
        }
        Ok(Prepared {
            verdict,
            report: Report { resources: 1, spans: 3, address_pod: 1, ..Report::default() },
            notices: Vec::new(),
        })
    }

    fn conclude(&self, attempt: Attempt, ended: &Ended) -> Result<Next, Failure> {
        (self.conclude)(attempt, ended)
    }

    fn diagnose(&self, _: Signal, _: &Bytes) -> Result<Option<BodyFault>, Failure> {
        Ok(None)
    }
}

pub(crate) fn forward(url: &str, content: Content) -> Verdict {
    Verdict::Forward(outbound(url, content))
}

/// A request to the upstream, still without parts: its one part is added when the length of the body is known.
pub(crate) fn outbound(url: &str, content: Content) -> Outbound {
    Outbound {
        url: url.to_owned(),
        headers: vec![Header::new("content-type", "application/x-protobuf")],
        timeout: 60_000,
        copies: Vec::new(),
        content,
        parts: Vec::new(),
        encoding: Encoding::Protobuf,
    }
}

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let headers = vec![Header::new("content-type", "text/plain")];
    Answer { status, headers, body: body.as_bytes().to_vec(), notice: None }
}

/// The answer that tells how an attempt ended, in words.
fn told(ended: &Ended) -> Answer {
    match ended {
        Ended::Response { status, body, .. } => answer(*status, &String::from_utf8_lossy(body)),
        Ended::NotConnected(_) => answer(503, "not connected"),
        Ended::Away { .. } => answer(503, "away"),
        Ended::Waited => answer(503, "waited"),
        Ended::Closed(body) => answer(400, &format!("closed on {} bytes", body.len())),
        Ended::TimedOut => answer(504, "timed out"),
        Ended::Oversized => answer(500, "oversized"),
    }
}
