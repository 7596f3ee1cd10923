//! The cells of a pod's line.

use podstamp_core::directory::{Field, Fields};

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// The place of the pod, where the text belongs to a version.
    Slot,
    Name,
    Ips,
    NodeIps,
    Created,
    Started,
    Flags,
    /// One that a table may do without.
    Optional(Field),
}

impl Cell {
    /// All cells. What is often empty comes last.
    const ALL: [Self; 16] = [
        Self::Slot,
        Self::Name,
        Self::Ips,
        Self::Created,
        Self::Optional(Field::Uid),
        Self::Optional(Field::Namespace),
        Self::Optional(Field::Node),
        Self::NodeIps,
        Self::Optional(Field::Phase),
        Self::Optional(Field::Deployment),
        Self::Optional(Field::Containers),
        Self::Optional(Field::Labels),
        Self::Optional(Field::Annotations),
        Self::Optional(Field::Hostname),
        Self::Started,
        Self::Flags,
    ];

    /// The cells that each line must have.
    pub(super) const REQUIRED: [Self; 6] =
        [Self::Name, Self::Ips, Self::Created, Self::Started, Self::Flags, Self::NodeIps];

    /// The cells of a line with these fields, and with the pod's place or without.
    pub(super) fn of(fields: Fields, has_slot: bool) -> impl Iterator<Item = Self> {
        let is_there = move |cell: &Self| match cell {
            Self::Slot => has_slot,
            Self::Name | Self::Ips | Self::NodeIps | Self::Created | Self::Started | Self::Flags => true,
            Self::Optional(field) => fields.contains(*field),
        };
        Self::ALL.into_iter().filter(is_there)
    }

    /// The cell of that name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cell| cell.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Name => "name",
            Self::Ips => "ips",
            Self::NodeIps => "node_ips",
            Self::Created => "created",
            Self::Started => "started",
            Self::Flags => "flags",
            Self::Optional(field) => field.name(),
        }
    }
}

/// Flags of a pod, a letter each.
pub(super) const HOST_NETWORK: char = 'h';
/// See [`HOST_NETWORK`].
pub(super) const FINISHED: char = 'f';
/// See [`HOST_NETWORK`].
pub(super) const DELETING: char = 'd';
/// See [`HOST_NETWORK`].
pub(super) const IGNORED: char = 'i';
