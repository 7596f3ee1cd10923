//! What somebody asks about.

use std::fmt;
use std::net::IpAddr;

use podstamp_core::directory::{Field, Term};
use serde::{Deserialize, Serialize};

/// What something was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An IP address.
    Address,
    /// A pod's name, or its namespace and name.
    Name,
    /// A pod's host name, where that is not its name.
    Hostname,
    /// A pod's uid.
    Uid,
    /// The id of a container.
    Container,
}

/// What somebody asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// An IP address.
    Address(IpAddr),
    /// A pod's name, and its namespace where that was given.
    Name(Option<&'a str>, &'a str),
    /// A pod's host name.
    Hostname(&'a str),
    /// A pod's uid.
    Uid(&'a str),
    /// A container's id without the runtime's prefix.
    Container(&'a str),
}

impl<'a> Subject<'a> {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Address,
            Self::Name(..) => Kind::Name,
            Self::Hostname(_) => Kind::Hostname,
            Self::Uid(_) => Kind::Uid,
            Self::Container(_) => Kind::Container,
        }
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        if let Self::Address(address) = self { Some(*address) } else { None }
    }

    /// The lookup for it.
    pub(super) fn terms(&self) -> Vec<Term<'a>> {
        match *self {
            Self::Address(address) => vec![Term::Ip(address)],
            Self::Name(None, name) => vec![Term::Name(name)],
            Self::Name(Some(namespace), name) => vec![Term::Name(name), Term::Namespace(namespace)],
            Self::Hostname(name) => vec![Term::Hostname(name)],
            Self::Uid(uid) => vec![Term::Uid(uid)],
            Self::Container(id) => vec![Term::Container(id)],
        }
    }

    /// The field of pods that has to be kept for the lookup; `None` where it always is.
    pub(super) fn field(&self) -> Option<Field> {
        match self {
            Self::Address(_) | Self::Name(None, _) => None,
            Self::Name(Some(_), _) => Some(Field::Namespace),
            Self::Hostname(_) => Some(Field::Hostname),
            Self::Uid(_) => Some(Field::Uid),
            Self::Container(_) => Some(Field::Containers),
        }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(formatter, "{address}"),
            Self::Name(None, name) => write!(formatter, "name {name}"),
            Self::Name(Some(namespace), name) => write!(formatter, "name {namespace}/{name}"),
            Self::Hostname(name) => write!(formatter, "host name {name}"),
            Self::Uid(uid) => write!(formatter, "uid {uid}"),
            Self::Container(id) => write!(formatter, "container {}", id.get(..SHOWN).unwrap_or(id)),
        }
    }
}

/// Digits of a container's id that people go by.
const SHOWN: usize = 12;
