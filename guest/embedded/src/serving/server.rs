//! From a request to its answer.

use podstamp_core::Filter;
use podstamp_core::answer::{Code, Failure};
use podstamp_core::config::{self, Fault};
use podstamp_core::hosting::outgrown::Outgrown;
use podstamp_core::interface::{
    Answer, Encoding, Header, Level, Mended, Notice, Outbound, Request, Upstream, Verdict,
};
use serde_json::Value;

use super::batch::Batch;
use super::head::{Head, client_encoding};
use super::pods::Feed;
use super::route::Route;
use super::support;
use super::world::World;
use crate::{Embedded, describe};

/// A configured server.
#[derive(Debug)]
pub struct Server {
    embedded: Embedded,
    pods: Option<Feed>,
    /// The header with the client's address.
    peer_header: Option<String>,
    notices: Vec<Notice>,
}

/// Copies of a request for further exporters, for which no client waits.
#[derive(Debug)]
pub struct Copies {
    head: Head,
    body: Vec<u8>,
    now: Option<u64>,
    outbound: Outbound,
}

impl Server {
    /// Configures a server. `look_up` gives the value of an environment variable: `PODSTAMP_CONFIG` has the document,
    /// `PODSTAMP_PEER_HEADER` the name of a header, and `${env:NAME}` in the document is any other. The error has all faults.
    pub fn configure(look_up: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut document = read_document(&look_up("PODSTAMP_CONFIG").unwrap_or_default())?;
        config::resolve(&mut document, look_up, |text| config::read_json(text).ok()).refuse(&document)?;
        let embedded = Embedded { filter: Filter::configure(&document)?, table: None };
        let config = embedded.filter().config();
        let notices = support::check_support(config)?;
        let peer_header = look_up("PODSTAMP_PEER_HEADER").map(|name| name.trim().to_ascii_lowercase());
        Ok(Self {
            pods: Feed::of(config),
            notices: embedded.filter().notices().iter().cloned().chain(notices).collect(),
            peer_header: peer_header.filter(|name| !name.is_empty()),
            embedded,
        })
    }

    /// The answer to any request where the configuration has faults, so that clients keep what they have.
    pub fn misconfigured(faults: &[Fault], headers: &[Header]) -> Answer {
        let text = format!("podstamp's configuration is at fault: {}", describe(faults).replace('\n', "; "));
        let failure = Failure { retry_after: Some(RETRY), ..Failure::new(503, Code::Unavailable, &text) };
        let notice = Notice { level: Level::Error, key: "config".into(), message: text.clone() };
        Answer { notice: Some(notice), ..failure.answer(client_encoding(headers)) }
    }

    /// What a person should know about the configuration.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Milliseconds in which a body has to come.
    pub fn read_timeout(&self) -> u32 {
        self.embedded.filter().config().limits.read_timeout
    }

    /// Reads the head of a request; names of headers are in lower case. The error is the answer to one that is refused.
    pub fn read_head(&self, method: &str, target: &str, headers: Vec<Header>) -> Result<Head, Answer> {
        let config = self.embedded.filter().config();
        Head::read(config, self.peer_header.as_deref(), method, target, headers)
    }

    /// Sends a request on, and gives its answer, with the copies that are to be sent after that. `now`: nanoseconds since 1970.
    pub fn answer(
        &mut self,
        head: Head,
        wire: Vec<u8>,
        now: Option<u64>,
        world: &impl World,
    ) -> (Answer, Option<Copies>) {
        let body = match head.decode(wire) {
            Ok(body) => body,
            Err(answer) => return (answer, None),
        };
        if let Some(pods) = &mut self.pods {
            pods.refresh(&mut self.embedded, world);
        }
        let (answer, outbound) = self.relay(&head.request(&body, now), world);
        (answer, outbound.map(|outbound| Copies { head, body, now, outbound }))
    }

    /// Builds the indexes that lookups have asked for, which is for when nobody waits.
    pub fn index(&mut self) {
        self.embedded.index();
    }

    /// The answer of the upstream, and what to send to others too.
    fn relay(&self, request: &Request<'_>, world: &impl World) -> (Answer, Option<Outbound>) {
        let prepared = self.embedded.prepare(request);
        prepared.notices.iter().for_each(|notice| world.tell(notice));
        match prepared.verdict {
            Verdict::Answer(answer) => (answer, None),
            Verdict::Forward(outbound) => {
                let answer = self.forward(request, &outbound, 0, world);
                (answer, Some(outbound).filter(|outbound| !outbound.copies.is_empty()))
            }
        }
    }

    /// Sends to an upstream, and once more what is mended: 0 is the outbound's own, n the nth of its copies.
    fn forward(&self, request: &Request<'_>, outbound: &Outbound, number: u32, world: &impl World) -> Answer {
        let mended = match self.send(request, outbound, number, world) {
            Ok(answer) => return answer,
            Err(Mended { body, .. }) => body,
        };
        let request = Request { body: &mended, ..*request };
        match self.embedded.prepare(&request).verdict {
            Verdict::Answer(answer) => answer,
            Verdict::Forward(outbound) => {
                let filter = self.embedded.filter();
                let not_mended = |_| filter.not_mended(request.signal, outbound.encoding, &mended);
                self.send(&request, &outbound, number, world).unwrap_or_else(not_mended)
            }
        }
    }

    fn send(
        &self,
        request: &Request<'_>,
        outbound: &Outbound,
        number: u32,
        world: &impl World,
    ) -> Result<Answer, Mended> {
        let filter = self.embedded.filter();
        let config = filter.config();
        let Outbound { url, headers, timeout, copies, content, parts, encoding } = outbound;
        let (signal, encoding) = (request.signal, *encoding);
        let copy = (number as usize).checked_sub(1).and_then(|index| copies.get(index));
        let (url, headers, timeout) = match copy {
            Some(Upstream { url, headers, timeout }) => (url, headers, *timeout),
            None => (url, headers, *timeout),
        };
        let patience = match config.upstream.patience {
            patience if patience > 0 && number == 0 => patience.min(timeout),
            _ => timeout,
        };
        let Some(batch) = Batch::new(request.body, content, parts) else {
            return Ok(Failure::new(500, Code::Internal, "the edits do not fit the body").answer(encoding));
        };
        let limit = u64::from(config.limits.body);
        if batch.len() as u64 > limit {
            return Ok(outgrown(limit, encoding));
        }
        Route { filter, signal, encoding, number, url, headers, patience }.send(&batch, request.body, world)
    }
}

impl Copies {
    /// Sends the copies, one after the other.
    pub fn send(&self, server: &Server, world: &impl World) {
        let request = self.head.request(&self.body, self.now);
        for number in (1..).take(self.outbound.copies.len()) {
            if let Some(mut notice) = server.forward(&request, &self.outbound, number, world).notice {
                // A key of its own: the same fault of another upstream is another fault.
                notice.key = format!("{}-copy-{number}", notice.key).into();
                world.tell(&notice);
            }
        }
    }
}

/// Reads a whole document, or one that has `podstamp` alone beside the default pipeline, which is also what nothing stands for.
/// Unlike [`Embedded::configure`] this completes no other one: a server sends nothing to where no document says.
fn read_document(text: &str) -> Result<Value, Vec<Fault>> {
    let text = if text.trim_ascii().is_empty() { "{}" } else { text };
    let mut document = config::read_json(text).map_err(|error| {
        vec![Fault { path: "PODSTAMP_CONFIG".to_owned(), message: format!("not JSON: {error}") }]
    })?;
    if let Value::Object(document) = &mut document
        && document.keys().all(|key| key == "podstamp")
        && let Ok(Value::Object(usual)) = config::read_json(config::DEFAULT_DOCUMENT)
    {
        document.extend(usual);
    }
    Ok(document)
}

fn outgrown(limit: u64, encoding: Encoding) -> Answer {
    let outgrown = Outgrown { limit };
    let message = format!("{outgrown}; see podstamp.limits.body");
    let notice = Notice { level: Level::Warning, key: "batch-too-large".into(), message };
    Answer { notice: Some(notice), ..outgrown.answer(encoding) }
}

/// Milliseconds until a client should come again: nobody corrects a configuration faster.
const RETRY: u32 = 30_000;
