//! Follows the API server: lists all pods, watches what changes, and begins anew wherever that ends.

use std::time::{Duration, Instant};

use http::StatusCode;
use kube::Client;

use super::KubernetesPods;
use super::api::{self, Page};
use super::events::{Event, Events};
use super::failure::{Failure, Reason};
use super::keeper::{Change, Listing};
use super::requests::Requests;
use crate::pods::raw::Item;

/// Where a watch stands, and how pods are listed.
#[derive(Debug)]
pub(super) struct Follower<'p> {
    pods: &'p KubernetesPods,
    requests: Requests,
    /// The version up to which all is known. `None`: all pods have to be listed.
    version: Option<String>,
    /// Whether the server can begin a watch with all pods, which takes it the least memory.
    streams: bool,
    /// Whether the next list goes by pages all the same: the stream failed, which may be for a moment.
    pages_next: bool,
    /// Whether the last watch ended as it ought to.
    ended_well: bool,
    /// When the last watch was opened. `None`: it was not.
    connected: Option<Instant>,
}

impl<'p> Follower<'p> {
    pub(super) fn new(pods: &'p KubernetesPods, requests: Requests) -> Self {
        Self {
            pods,
            requests,
            version: None,
            streams: true,
            pages_next: false,
            ended_well: true,
            connected: None,
        }
    }

    /// Lists all pods unless they are known, and follows their changes until the server ends the watch. An error leaves what
    /// is known as it is, except where all pods have to be listed again.
    pub(super) async fn follow(&mut self, client: &Client) -> Result<(), Failure> {
        self.connected = None;
        let followed = self.attempt(client).await;
        self.pods.status.set_connected(false);
        let period = Duration::from_secs(u64::from(self.requests.period()));
        // A server that goes away may end its watches as if their time were over.
        self.ended_well = followed.is_ok() && self.lasted() + EARLY >= period;
        if followed.as_ref().is_err_and(Failure::needs_list) {
            self.version = None;
        }
        followed
    }

    /// How long the last watch was open.
    pub(super) fn lasted(&self) -> Duration {
        self.connected.map(|since| since.elapsed()).unwrap_or_default()
    }

    async fn attempt(&mut self, client: &Client) -> Result<(), Failure> {
        let mut events = match self.version.clone() {
            None => match self.stream_unless_by_page(client).await? {
                Some(events) => events,
                None => {
                    let version = self.list(client).await?;
                    self.open(client, &version).await?
                }
            },
            Some(version) => {
                self.compare(client, &version).await?;
                self.open(client, &version).await?
            }
        };
        self.pods.connected();
        self.connected = Some(Instant::now());
        self.watch(&mut events).await
    }

    /// Lists all pods by a watch, if the server can do that. `None`: they have to be listed page by page.
    async fn stream_unless_by_page(&mut self, client: &Client) -> Result<Option<Events>, Failure> {
        if !self.streams || std::mem::take(&mut self.pages_next) {
            return Ok(None);
        }
        let failure = match self.stream(client).await {
            Ok(events) => return Ok(Some(events)),
            Err(failure) => failure,
        };
        let says = |word| failure.message.contains(word);
        let is_unable = failure.status == Some(StatusCode::UNPROCESSABLE_ENTITY)
            || ["RequestWatchProgress", "sendInitialEvents", "resourceVersionMatch"].into_iter().any(says);
        if is_unable {
            tracing::info!(
                why = failure.message,
                "the API server does not stream lists: pods are listed page by page"
            );
            self.streams = false;
            return Ok(None);
        }
        // It may be for a moment, or for want of streams.
        self.pages_next =
            matches!(failure.reason, Reason::Silent | Reason::Status | Reason::Invalid | Reason::Broken);
        Err(failure)
    }

    async fn open(&self, client: &Client, version: &str) -> Result<Events, Failure> {
        let opened = api::open(client, self.requests.resume(version)?).await?;
        self.pods.status.heard();
        Ok(Events::new(opened))
    }

    /// Lists all pods by a watch, which then goes on.
    async fn stream(&mut self, client: &Client) -> Result<Events, Failure> {
        let mut events = Events::new(api::open(client, self.requests.stream()?).await?);
        let mut listing = self.pods.keeper.list(!self.pods.status.is_loaded());
        let mut items = Vec::new();
        loop {
            let ended = || Failure::new(Reason::Broken, "the list ended before it was whole");
            let event = events.next(LIST_PATIENCE).await?.ok_or_else(ended)?;
            match event {
                Event::Applied(item) => items.push(*item),
                // While a list is under way the server tells of changes as well.
                Event::Deleted(item) => {
                    self.take(&mut listing, &mut items);
                    self.pods.keeper.take_back(&mut listing, &item);
                }
                Event::Unreadable { metadata, why } => {
                    self.pods.report_unreadable(&metadata, &why);
                    self.pods.keeper.change(&[Change::Unreadable(metadata)], Instant::now());
                }
                Event::Bookmark { version, is_whole: true } => {
                    self.take(&mut listing, &mut items);
                    self.loaded(listing, version);
                    return Ok(events);
                }
                Event::Bookmark { .. } => {}
            }
            if items.len() >= BATCH || !events.has_next() {
                self.take(&mut listing, &mut items);
                self.pods.status.heard();
            }
        }
    }

    /// Lists all pods page by page; gives the version of the list.
    async fn list(&mut self, client: &Client) -> Result<String, Failure> {
        let mut listing = self.pods.keeper.list(!self.pods.status.is_loaded());
        let mut token: Option<String> = None;
        loop {
            let text = api::read(client, self.requests.page(token.as_deref())?).await?;
            self.pods.status.heard();
            // A page takes some ten milliseconds, for which no request should have to wait.
            let parsed = tokio::task::spawn_blocking(move || Page::parse(&text)).await;
            let broken = |error| Failure::new(Reason::Invalid, format!("reading a page broke off: {error}"));
            let mut page = parsed.map_err(broken)??;
            let mut items = page.items.take().unwrap_or_default();
            self.take(&mut listing, &mut items);
            match page.next() {
                Some(next) => token = Some(next.to_owned()),
                None => {
                    let missing = || Failure::new(Reason::Invalid, "a list without a resourceVersion");
                    let version = page.metadata.resource_version.take().filter(|version| !version.is_empty());
                    let version = version.ok_or_else(missing)?;
                    self.loaded(listing, version.clone());
                    return Ok(version);
                }
            }
        }
    }

    fn take(&self, listing: &mut Listing, items: &mut Vec<Item>) {
        let outcome = self.pods.keeper.take(listing, items);
        self.pods.report(&outcome);
        items.clear();
    }

    fn loaded(&mut self, listing: Listing, version: String) {
        self.pods.keeper.finish(listing, Instant::now());
        self.version = Some(version);
        self.pods.loaded();
    }

    /// Follows the changes of an open watch to its end.
    async fn watch(&mut self, events: &mut Events) -> Result<(), Failure> {
        let patience = PATIENCE.min(Duration::from_secs(u64::from(self.requests.period()) + 5));
        loop {
            let Some(event) = events.next(patience).await? else { return Ok(()) };
            self.pods.status.heard();
            let mut changes = Vec::new();
            self.read(event, &mut changes)?;
            // What comes together becomes visible together: a snapshot of the table for each event would cost more than the
            // event itself.
            let until = tokio::time::Instant::now() + GATHERING;
            let mut ended = Ok(None);
            while changes.len() < BATCH && !changes.is_empty() {
                match tokio::time::timeout_at(until, events.next(patience)).await {
                    Ok(Ok(Some(event))) => self.read(event, &mut changes)?,
                    Ok(end) => {
                        ended = end.map(Some);
                        break;
                    }
                    Err(_) => break,
                }
            }
            if !changes.is_empty() {
                let outcome = self.pods.keeper.change(&changes, Instant::now());
                self.pods.status.changed(changes.len());
                self.pods.report(&outcome);
            }
            if ended?.is_some() {
                return Ok(());
            }
        }
    }

    /// Reads an event. The version that it has is known once its change is carried out, which nothing prevents.
    fn read(&mut self, event: Event, changes: &mut Vec<Change>) -> Result<(), Failure> {
        let version = match event {
            Event::Applied(item) => {
                let version = item.version().map(str::to_owned);
                changes.push(Change::Applied(item));
                version
            }
            Event::Deleted(item) => {
                let version = item.version().map(str::to_owned);
                changes.push(Change::Deleted(item));
                version
            }
            Event::Unreadable { metadata, why } => {
                self.pods.report_unreadable(&metadata, &why);
                let version = metadata.resource_version.clone();
                changes.push(Change::Unreadable(metadata));
                version
            }
            Event::Bookmark { version, .. } => Some(version),
        };
        if let Some(version) = version.filter(|version| !version.is_empty()) {
            if self.version.as_deref().is_some_and(|known| is_older(&version, known)) {
                return Err(other_data(&version, self.version.as_deref().unwrap_or_default()));
            }
            self.version = Some(version);
        }
        Ok(())
    }

    /// Whether the server still has the data that is known. A watch from a version that it does not have yet, since it was set
    /// up anew or from a backup, would be open and silent.
    async fn compare(&self, client: &Client, version: &str) -> Result<(), Failure> {
        let page = match api::read(client, self.requests.any()?).await {
            Ok(text) => Page::parse(&text)?,
            // Whoever may see the pods of one node alone goes without this.
            Err(failure) if failure.reason == Reason::Forbidden => return Ok(()),
            Err(failure) => return Err(failure),
        };
        self.pods.status.heard();
        let there = page.metadata.resource_version.as_deref().unwrap_or_default();
        if is_older(there, version) {
            return Err(other_data(there, version));
        }
        // After a while without contact some of the known pods have to be there still. A few may have gone meanwhile.
        let known = if self.ended_well { Vec::new() } else { self.pods.keeper.some_live(COMPARED) };
        let mut gone = None;
        for (namespace, name, uid) in known {
            match api::read(client, Requests::pod(&namespace, &name)?).await {
                Ok(text) => {
                    let pod: Item = serde_json::from_slice(&text).unwrap_or_default();
                    if pod.metadata.and_then(|metadata| metadata.uid).as_deref() == Some(uid.as_str()) {
                        return Ok(());
                    }
                    gone = Some(format!("pod {namespace}/{name} is another one"));
                }
                Err(failure) if failure.status == Some(StatusCode::NOT_FOUND) => {
                    gone = Some(format!("pod {namespace}/{name} is not there any more"));
                }
                // Whoever may list and watch pods alone goes without this.
                Err(failure) if failure.reason == Reason::Forbidden => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        gone.map_or(Ok(()), |message| Err(Failure::new(Reason::OtherData, message)))
    }
}

fn other_data(there: &str, known: &str) -> Failure {
    Failure::new(Reason::OtherData, format!("it is at version {there}, and was at {known} before"))
}

/// Whether a version is older than another one. They are numbers (KEP-5504); others cannot be compared.
fn is_older(version: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    number(version).zip(number(other)).is_some_and(|(version, other)| version < other)
}

/// Changes that become visible together, at most.
const BATCH: usize = 256;

/// How long a change waits for others.
const GATHERING: Duration = Duration::from_millis(20);

/// Pods that are looked for before the server's data is taken for other data.
const COMPARED: usize = 3;

/// How much earlier than asked a watch may end.
const EARLY: Duration = Duration::from_secs(5);

/// An API server sends a bookmark about once a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long a list may pause.
const LIST_PATIENCE: Duration = Duration::from_secs(30);
