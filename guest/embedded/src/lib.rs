//! podstamp's filter together with its pod table, for hosts that receive and send by themselves: a Collector, a stream
//! processor, a server for WebAssembly.
//!
//! What these hosts share stands here, so that an adapter holds no rule of its own: how their users write the configuration, how a
//! text of pods becomes the table, and what becomes of a body where the host can only change or refuse it.
//!
//! ```
//! use podstamp_core::directory::{Fields, KeptKeys};
//! use podstamp_core::interface::{Header, Request, Signal};
//! use podstamp_embedded::{Embedded, Stamped};
//! use podstamp_pods::{Coverage, PodParts, Table, listing};
//!
//! let mut filter = Embedded::configure("").expect("nothing is wrong with nothing");
//! // What a podstamp answers at `filter.pods_path()`.
//! let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
//! let ips = vec![[10, 244, 1, 20].into()];
//! table.upsert(&PodParts { name: "cart-0".into(), ips, ..PodParts::default() }).expect("there is room");
//! let text = listing::write_full(&table, Fields::ALL);
//! filter.read_pods(text.into_bytes()).expect("a text of pods");
//!
//! let request = Request {
//!     signal: Signal::Traces,
//!     path: Signal::Traces.path(),
//!     peer: None,
//!     headers: &[Header::new("content-type", "application/json")],
//!     body: br#"{"resourceSpans": [{"resource": {"attributes": [
//!         {"key": "host.name", "value": {"stringValue": "cart-0"}}
//!     ]}, "scopeSpans": [{"spans": [{"name": "GET /"}]}]}]}"#,
//!     now: None,
//! };
//! let Stamped::Changed(body) = filter.stamp(&request) else { panic!("it had no address") };
//! assert!(body.windows(11).any(|bytes| bytes == b"10.244.1.20"));
//! ```

pub mod coding;
mod document;
mod hosted;
pub mod serving;
mod stamped;

use podstamp_core::Filter;
use podstamp_core::config::Fault;
use podstamp_core::directory::{Directory, Fields, NoPods};
use podstamp_core::interface::{Answer, Attempt, Encoding, Next, Outcome, Prepared, Request, Signal};
use podstamp_pods::{ListingError, ListingReader, Progress, Table};

pub use stamped::Stamped;

/// A configured filter and the pods that it knows.
#[derive(Debug)]
pub struct Embedded {
    filter: Filter,
    table: Option<Table>,
}

impl Embedded {
    /// Configures a filter. The text is JSON: the whole document, its `processors` and `podstamp` alone, or nothing, which is the
    /// pipeline that DeepFlow documents for load balancers. The error has all faults.
    pub fn configure(text: &str) -> Result<Self, Vec<Fault>> {
        let document = document::read_document(text)?;
        Ok(Self { filter: Filter::configure(&document)?, table: None })
    }

    /// [`Self::configure`] for a host that hands over bodies, and receives and sends by itself. Credentials, headers and further
    /// upstreams, which nobody would carry out there, are faults.
    pub fn configure_hosted(text: &str) -> Result<Self, Vec<Fault>> {
        let embedded = Self::configure(text)?;
        hosted::check_hosted(embedded.filter.config())?;
        Ok(embedded)
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Path and query of the request for the pods that the configuration needs, at the admin listener of a podstamp. To ask for what
    /// has changed, add `&since=` and the [version](Table::version) of the table. Empty where no pods are needed.
    pub fn pods_path(&self) -> String {
        match self.filter.config().fields() {
            Fields::NONE => String::new(),
            fields => format!("/pods?fields={fields}"),
        }
    }

    /// The pods; `None` before the first text of them.
    pub fn pods(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    /// Reads a text of all pods, or of what has changed since the version that the table has. After an error the table is what it
    /// was, and all pods have to be asked for.
    pub fn read_pods(&mut self, text: Vec<u8>) -> Result<&Table, ListingError> {
        let mut reader = match &self.table {
            Some(table) => ListingReader::onto(text, table),
            None => ListingReader::new(text),
        };
        while reader.advance(usize::MAX)? == Progress::More {}
        let table = reader.finish()?;
        Ok(self.table.insert(table))
    }

    /// Builds the indexes that lookups have asked for: see [`Table::index`]. Costs nothing where there are none to build.
    pub fn index(&mut self) {
        if let Some(table) = self.table.as_mut().filter(|table| table.lacks_index()) {
            while !table.index(u32::MAX) {}
        }
    }

    /// [`Filter::prepare`] with these pods.
    pub fn prepare(&self, request: &Request<'_>) -> Prepared {
        let pods = self.table.as_ref().map_or(&NoPods as &dyn Directory, |table| table);
        self.filter.prepare(request, pods)
    }

    /// The answer for the client once an attempt to send has ended, for a host that makes no other one.
    pub fn conclude(&self, signal: Signal, encoding: Encoding, outcome: &Outcome<'_>) -> Answer {
        // No time is left for another one.
        let (number, elapsed, patience) = (1, u32::MAX, u32::MAX);
        let (upstream, delivered, random) = (0, 0, 0);
        let attempt = Attempt { signal, upstream, encoding, number, elapsed, patience, delivered, random };
        let body = if let Outcome::Closed(body) = outcome { body } else { &[][..] };
        match self.filter.conclude(&attempt, outcome) {
            Next::Answer(answer) => answer,
            Next::Retry(_) | Next::Mend(_) => self.filter.not_mended(signal, encoding, body),
        }
    }

    /// What a host sends on that only changes bodies, or why it refuses the request.
    pub fn stamp(&self, request: &Request<'_>) -> Stamped {
        Stamped::of(self.prepare(request).verdict, request.body)
    }
}

/// Faults for a host that can only show a text: a line for each, its path first.
pub fn describe(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
