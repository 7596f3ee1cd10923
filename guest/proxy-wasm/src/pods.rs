//! The pod table, asked for at a podstamp that knows the cluster's pods: `GET /pods` on its admin listener, first for all of
//! them and then for what has changed.
//!
//! A worker has no other thread for it, so that what comes is read a bit at a time between requests, and the old table serves
//! until the new one is whole.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use podstamp_core::config::PodsSource;
use podstamp_core::directory::{Details, Directory, Fields, Lookup, NoPods, Term};
use podstamp_core::interface::{Header, Level, Notice};
use podstamp_pods::{ListingReader, Progress, Table, Touched};

use crate::abi::{Buffer, Headers, host};
use crate::instruments::Instruments;
use crate::notices::Notices;

/// The table, and how it is kept up to date.
pub(crate) struct Pods {
    source: PodsSource,
    path: String,
    table: RefCell<Option<Rc<Table>>>,
    /// How many tables there were. A table of its own number never has other answers: indexes make it faster only.
    tables: Cell<u64>,
    touched: Rc<Touched>,
    /// Whether all pods have to come again: what came of the last change cannot be told.
    is_astray: Cell<bool>,
    listing: RefCell<Option<ListingReader>>,
    /// The call that is out.
    call: Cell<Option<u32>>,
    /// The time of the next call, nanoseconds.
    due: Cell<u64>,
}

impl Pods {
    /// A table of no pods yet, which is asked for at once. `fields` are those that lookups need.
    pub(crate) fn new(source: PodsSource, fields: Fields) -> Self {
        Self {
            path: format!("/pods?fields={fields}&since="),
            source,
            table: RefCell::default(),
            tables: Cell::default(),
            touched: Rc::default(),
            is_astray: Cell::default(),
            listing: RefCell::default(),
            call: Cell::default(),
            due: Cell::default(),
        }
    }

    /// The pods that are known now.
    pub(crate) fn known(&self) -> Known {
        Known { table: self.table(), state: self.tables.get(), touched: Rc::clone(&self.touched) }
    }

    /// The table; `None` before the first has come.
    fn table(&self) -> Option<Rc<Table>> {
        self.table.borrow().clone()
    }

    /// Milliseconds until there is something to do.
    pub(crate) fn next(&self, now: u64) -> u32 {
        if self.listing.borrow().is_some()
            || self.table.borrow().as_ref().is_some_and(|table| table.lacks_index())
        {
            return 0;
        }
        u32::try_from(self.due.get().saturating_sub(now) / 1_000_000).unwrap_or(u32::MAX)
    }

    /// Reads on in a table that has come; else asks for one if it is time to, and builds what lookups would go faster with.
    pub(crate) fn advance(&self, instruments: &Instruments) {
        let now = host::now();
        if self.listing.borrow().is_some() {
            self.read_listing(instruments, now);
            return;
        }
        if self.due.get() <= now {
            self.ask(instruments, now);
        }
        self.index(instruments, now);
    }

    /// A call of the root has ended: takes the answer if the call was for pods.
    pub(crate) fn on_call_response(
        &self,
        instruments: &Instruments,
        token: u32,
        has_headers: bool,
        body_size: usize,
    ) {
        if self.call.get() != Some(token) {
            return;
        }
        self.call.set(None);
        let headers = if has_headers { host::headers(Headers::CallResponse) } else { Vec::new() };
        let header = |name: &str| headers.iter().find(|header| header.name == name);
        match header(":status").map(|status| status.value.as_slice()) {
            Some(b"200") => {
                let text = host::buffer(Buffer::CallResponseBody, 0, body_size).unwrap_or_default();
                self.listing.replace(Some(match self.table() {
                    Some(table) => ListingReader::onto(text, &table),
                    None => ListingReader::new(text),
                }));
            }
            Some(status) => {
                let status = String::from_utf8_lossy(status);
                self.failed(instruments, &format!("it answers {status}: {}", said(body_size)));
            }
            None => self.failed(instruments, "it cannot be reached, or does not answer in time"),
        }
    }

    fn ask(&self, instruments: &Instruments, now: u64) {
        self.due.set(now.saturating_add(u64::from(self.source.interval) * 1_000_000));
        let known = self.table().filter(|_| !self.is_astray.get());
        let path =
            known.map_or_else(|| self.path.clone(), |table| format!("{}{}", self.path, table.version()));
        let headers = [
            Header::new(":method", "GET"),
            Header::new(":path", &path),
            Header::new(":authority", &self.source.authority),
        ];
        match host::http_call(&self.source.cluster, &headers, &[], TIMEOUT) {
            Ok(token) => self.call.set(Some(token)),
            Err(refused) => {
                self.failed(instruments, &format!("the proxy makes no call to it (status {})", refused.0));
            }
        }
    }

    /// Builds the indexes that lookups have asked for, for as long as a tick may take. A table of pods that do not change would
    /// do without them for ever.
    fn index(&self, instruments: &Instruments, began: u64) {
        let mut table = self.table.borrow_mut();
        let Some(table) = table.as_mut().filter(|table| table.lacks_index()) else { return };
        let table = Rc::make_mut(table);
        while !table.index(INDEX_STEP) && host::now().saturating_sub(began) < TICK_SHARE {}
        instruments.metrics().pods(table.len(), table.memory());
    }

    /// Reads on, for as long as a tick may take.
    fn read_listing(&self, instruments: &Instruments, began: u64) {
        let Some(mut listing) = self.listing.take() else { return };
        let table = loop {
            match listing.advance(STEP) {
                Ok(Progress::Done) => break listing.finish(),
                Ok(Progress::More) if host::now().saturating_sub(began) < TICK_SHARE => {}
                Ok(Progress::More) => return drop(self.listing.replace(Some(listing))),
                Err(error) => break Err(error),
            }
        };
        match table {
            Ok(mut table) => {
                instruments.metrics().pods(table.len(), table.memory());
                if self.table.borrow().is_none() {
                    let message = format!("{} pods from cluster {:?}", table.len(), self.source.cluster);
                    Notices::tell(&Notice { level: Level::Info, key: "pods-read".into(), message });
                }
                self.is_astray.set(false);
                let state = self.tables.get() + 1;
                let changes = table.take_recorded();
                table.record_changes();
                let before = self.table();
                self.touched.note(state, before.as_deref().unwrap_or(&table), &table, changes.as_deref());
                self.table.replace(Some(Rc::new(table)));
                self.tables.set(state);
            }
            Err(error) => {
                self.is_astray.set(true);
                self.failed(instruments, &format!("what it sends is no list of pods: {error}"));
            }
        }
    }

    /// Keeps the table that there is, and makes the next attempt come soon.
    fn failed(&self, instruments: &Instruments, reason: &str) {
        let soon = host::now().saturating_add(RETRY);
        self.due.set(self.due.get().min(soon));
        instruments.metrics().no_pods();
        let place = "podstamp.proxy_wasm.pods.cluster";
        let cluster = &self.source.cluster;
        instruments
            .notices()
            .warn("pods-missing", || format!("no pods from cluster {cluster:?} ({place}): {reason}"));
    }
}

/// The pods that are known at a time.
#[derive(Default)]
pub(crate) struct Known {
    table: Option<Rc<Table>>,
    state: u64,
    touched: Rc<Touched>,
}

impl Directory for Known {
    fn find(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        match &self.table {
            Some(table) => table.find(terms, want),
            None => NoPods.find(terms, want),
        }
    }

    fn state(&self) -> Option<u64> {
        Some(self.state)
    }

    fn unchanged(&self, since: u64, keys: &[u32]) -> bool {
        self.touched.unchanged(since, keys)
    }
}

/// The beginning of an answer's body.
fn said(body_size: usize) -> String {
    let text = host::buffer(Buffer::CallResponseBody, 0, body_size.min(MAX_SAID)).unwrap_or_default();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// Milliseconds for an answer.
const TIMEOUT: u32 = 5_000;

/// Nanoseconds until a failure is followed by another attempt.
const RETRY: u64 = 1_000_000_000;

/// Nanoseconds that reading may take of a tick: requests of the same worker wait meanwhile.
const TICK_SHARE: u64 = 2_000_000;

/// Bytes between two looks at the clock.
const STEP: usize = 32 << 10;

/// Pods between two looks at the clock.
const INDEX_STEP: u32 = 500;

const MAX_SAID: usize = 200;
