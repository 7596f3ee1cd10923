//! A field in JSON and on the wire.

use super::super::scan::Literal;
use super::enums::Enum;
use crate::fault::Expected;
use crate::message::Message;
use crate::wire::{FIXED32, FIXED64, LENGTH, VARINT};

/// One field.
#[derive(Clone, Copy, Debug)]
pub(in crate::json) struct Field {
    /// The name as most clients write it, with its quotes and the colon.
    pub(in crate::json) quoted: Literal,
    /// Number and wire type.
    pub(in crate::json) tag: u32,
    pub(in crate::json) kind: Kind,
    /// Whether the default value is written as well: the field is optional, or a member of a oneof.
    pub(in crate::json) is_optional: bool,
}

impl Field {
    pub(in crate::json) fn name(&self) -> &str {
        std::str::from_utf8(self.quoted.name()).unwrap_or_default()
    }

    /// Whether the message itself spells the field like this, with underscores. OTLP/JSON has no such names, but the Collector
    /// reads them as well.
    #[cold]
    pub(in crate::json) fn is_spelled(&self, name: &[u8]) -> bool {
        let mut found = name.iter().copied();
        let same = self.quoted.name().iter().copied().all(|byte| match byte.is_ascii_uppercase() {
            true => found.next() == Some(b'_') && found.next() == Some(byte.to_ascii_lowercase()),
            false => found.next() == Some(byte),
        });
        same && found.next().is_none()
    }
}

/// The kinds of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::json) enum Kind {
    One(Message),
    Many(Message),
    Texts,
    /// Repeated numbers, which are written packed.
    Numbers(Scalar),
    Scalar(Scalar),
}

/// The kinds of scalar, by their forms in JSON and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::json) enum Scalar {
    Text,
    /// An id of that many bytes in hexadecimal, or an empty one.
    Id(u8),
    Bytes,
    Bool,
    Enum(Enum),
    Uint32,
    Fixed32,
    Int64,
    Uint64,
    /// A varint in zigzag.
    Sint32,
    Fixed64,
    Sfixed64,
    Double,
}

impl Scalar {
    pub(super) const fn wire(self) -> u8 {
        match self {
            Self::Text | Self::Id(_) | Self::Bytes => LENGTH,
            Self::Bool | Self::Enum(_) | Self::Uint32 | Self::Int64 | Self::Uint64 | Self::Sint32 => VARINT,
            Self::Fixed32 => FIXED32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => FIXED64,
        }
    }
}

impl Kind {
    pub(super) const fn wire(self) -> u8 {
        match self {
            Self::One(_) | Self::Many(_) | Self::Texts | Self::Numbers(_) => LENGTH,
            Self::Scalar(scalar) => scalar.wire(),
        }
    }

    /// The type that a value of this kind must have in JSON.
    pub(in crate::json) const fn expected(self) -> Expected {
        match self {
            Self::One(_) => Expected::Object,
            Self::Many(_) => Expected::Objects,
            Self::Texts => Expected::Texts,
            Self::Numbers(_) => Expected::Numbers,
            Self::Scalar(Scalar::Text) => Expected::Text,
            Self::Scalar(Scalar::Id(bytes)) => Expected::Hex(bytes),
            Self::Scalar(Scalar::Bytes) => Expected::Base64,
            Self::Scalar(Scalar::Bool) => Expected::Bool,
            Self::Scalar(Scalar::Enum(_)) => Expected::Enum,
            Self::Scalar(Scalar::Uint32 | Scalar::Fixed32) => Expected::Uint32,
            Self::Scalar(Scalar::Int64 | Scalar::Sfixed64) => Expected::Int64,
            Self::Scalar(Scalar::Sint32) => Expected::Int32,
            Self::Scalar(Scalar::Fixed64 | Scalar::Uint64) => Expected::Uint64,
            Self::Scalar(Scalar::Double) => Expected::Double,
        }
    }
}

pub(super) const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    let quoted = Literal::of(&[b"\"", name.as_bytes(), b"\":"]);
    Field { quoted, tag: number << 3 | kind.wire() as u32, kind, is_optional: false }
}

pub(super) const fn optional(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { is_optional: true, ..field(name, number, kind) }
}

pub(super) const TEXT: Kind = Kind::Scalar(Scalar::Text);
pub(super) const COUNT: Kind = Kind::Scalar(Scalar::Uint32);
pub(super) const TIME: Kind = Kind::Scalar(Scalar::Fixed64);
pub(super) const FLAGS: Kind = Kind::Scalar(Scalar::Fixed32);
pub(super) const TRACE_ID: Kind = Kind::Scalar(Scalar::Id(16));
pub(super) const SPAN_ID: Kind = Kind::Scalar(Scalar::Id(8));
pub(super) const ATTRIBUTES: Kind = Kind::Many(Message::KeyValue);
