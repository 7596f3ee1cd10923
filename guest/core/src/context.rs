//! What a pipeline's steps may ask about a request and the world.

pub(crate) mod lookups;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::net::IpAddr;

use crate::address;
use crate::context::lookups::{Answer, Lookups};
use crate::directory::{ANY_POD, Details, Directory, Lookup, Term, address_key, change_key};
use crate::interface::{Header, Request};

/// One request, as a pipeline's steps see it. The context lives as long as the request's resources, which borrow from it.
pub(crate) struct Context<'a> {
    request: &'a Request<'a>,
    connection: Option<IpAddr>,
    directory: &'a dyn Directory,
    include_metadata: bool,
    /// Whether lookups may leave out what [`Details::brief`] says.
    brief: bool,
    /// Names of headers and all their values joined, sorted by name.
    metadata: OnceCell<Vec<(String, String)>>,
    connection_text: OnceCell<String>,
    connection_lookup: OnceCell<Lookup>,
    lookups: Lookups,
    /// Whether a header was asked for.
    metadata_read: Cell<bool>,
    /// The keys of what the directory was asked since the last resource began.
    asked: RefCell<Asked>,
}

/// The keys by which changes of answers are told.
#[derive(Default)]
struct Asked {
    keys: [u32; MAX_KEYS],
    len: usize,
}

impl<'a> Context<'a> {
    /// `connection` is the address at the far end, as [`address::connection`] gives it; `include_metadata` says whether
    /// actions may read the request's headers.
    pub(crate) fn new(
        request: &'a Request<'a>,
        connection: Option<IpAddr>,
        directory: &'a dyn Directory,
        include_metadata: bool,
    ) -> Self {
        Self {
            request,
            connection,
            directory,
            include_metadata,
            brief: false,
            metadata: OnceCell::new(),
            connection_text: OnceCell::new(),
            connection_lookup: OnceCell::new(),
            lookups: Lookups::default(),
            metadata_read: Cell::new(false),
            asked: RefCell::default(),
        }
    }

    /// The same, with lookups that leave out what [`Details::brief`] says if `brief`.
    pub(crate) fn with_brief_lookups(self, brief: bool) -> Self {
        Self { brief, ..self }
    }

    /// The address at the far end of the connection.
    pub(crate) fn connection(&self) -> Option<IpAddr> {
        self.connection
    }

    /// What the directory says of the connection's address: asked at most once a request, and never for an address that
    /// no pod can have.
    pub(crate) fn connection_lookup(&self) -> &Lookup {
        self.connection_lookup.get_or_init(|| {
            match self.connection.filter(|connection| address::is_candidate(*connection)) {
                Some(connection) => self.ask(&[Term::Ip(connection)], Details::default()),
                None => Lookup::Unknown,
            }
        })
    }

    /// What the directory says of an address.
    pub(crate) fn find_address(&self, address: IpAddr) -> Answer<'_> {
        self.find(&[Term::Ip(address)], Details::default())
    }

    /// Whether an address is a node's.
    pub(crate) fn is_node(&self, address: IpAddr) -> bool {
        *self.find_address(address) == Lookup::Node
    }

    /// The connection's address as text; empty where it is not known.
    pub(crate) fn connection_text(&self) -> &str {
        self.connection_text.get_or_init(|| self.connection.map(address::text).unwrap_or_default())
    }

    /// An address as text, without a copy for the connection's.
    pub(crate) fn text_of(&self, address: IpAddr) -> Cow<'_, str> {
        if Some(address) == self.connection {
            Cow::Borrowed(self.connection_text())
        } else {
            Cow::Owned(address::text(address))
        }
    }

    /// The directory's answer, kept for the rest of the request as far as there is room.
    pub(crate) fn find(&self, terms: &[Term<'_>], want: Details) -> Answer<'_> {
        let answer = match terms {
            [Term::Ip(address)] if Some(*address) == self.connection && want == Details::default() => {
                Answer::Shared(self.connection_lookup())
            }
            _ => self.lookups.find(terms, want, || self.ask(terms, want)),
        };
        let mut asked = self.asked.borrow_mut();
        asked.add(change_key(terms));
        // Whether a pod still has its addresses depends on the other pods that have them.
        if let Lookup::Found(pod) = &*answer {
            pod.ips.iter().for_each(|address| asked.add(address_key(*address)));
        }
        answer
    }

    /// A resource begins.
    pub(crate) fn begin_resource(&self) {
        self.asked.borrow_mut().len = 0;
    }

    /// Gives `take` the keys of all that the directory was asked since the resource began.
    pub(crate) fn with_asked<T>(&self, take: impl FnOnce(&[u32]) -> T) -> T {
        let asked = self.asked.borrow();
        take(asked.keys.get(..asked.len).unwrap_or(&[ANY_POD]))
    }

    fn ask(&self, terms: &[Term<'_>], want: Details) -> Lookup {
        self.directory.find(terms, Details { brief: self.brief, ..want })
    }

    /// Whether anything depends on the request's headers, besides the connection's address.
    pub(crate) fn depends_on_metadata(&self) -> bool {
        self.metadata_read.get()
    }

    /// All values of a header, joined by `;`. `None` also where the receiver is not set to include metadata.
    pub(crate) fn metadata(&self, name: &str) -> Option<&str> {
        if !self.include_metadata {
            return None;
        }
        self.metadata_read.set(true);
        let joined = self.metadata.get_or_init(|| join(self.request.headers));
        let at = joined.binary_search_by_key(&name, |(name, _)| name.as_str()).ok()?;
        joined.get(at).map(|(_, values)| values.as_str())
    }
}

impl Asked {
    fn add(&mut self, key: u32) {
        if self.keys.iter().take(self.len).any(|known| *known == key) {
            return;
        }
        match self.keys.get_mut(self.len) {
            Some(place) => {
                *place = key;
                self.len += 1;
            }
            // Too many to tell apart.
            None => {
                (self.keys, self.len) = ([ANY_POD; MAX_KEYS], 1);
            }
        }
    }
}

/// Keys that are told apart: most resources take two or three.
const MAX_KEYS: usize = 24;

/// Each header with all of its values, sorted by name. Made once a request, since every resource may ask for headers.
fn join(headers: &[Header]) -> Vec<(String, String)> {
    let mut sorted: Vec<_> = headers.iter().collect();
    sorted.sort_by_key(|header| header.name.as_str());
    let same_name = sorted.chunk_by(|one, other| one.name == other.name);
    let joined = same_name.filter_map(|headers| {
        let values: Vec<_> = headers.iter().map(|header| String::from_utf8_lossy(&header.value)).collect();
        Some((headers.first()?.name.clone(), values.join(";")))
    });
    joined.collect()
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Context").field("connection", &self.connection).finish_non_exhaustive()
    }
}
