//! Reads JSON values by the kinds of their fields, and writes the fields.

use std::fmt::{self, Display as _};

use serde_core::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bytes::{put_base64, put_hex};
use super::fields::{Field, Kind, Scalar};
use super::number::{Number, double};
use super::writer::{Met, NO_TAG, Step, Writer};
use crate::fault::Problem;
use crate::message::Message;
use crate::wire::put_varint;

/// Reads one value, and writes the field.
pub(super) struct Value<'w> {
    pub(super) kind: Kind,
    pub(super) tag: u32,
    pub(super) presence: Presence,
    pub(super) to: &'w mut Writer,
}

/// When a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// If the value is not the default one.
    Implicit,
    /// Always: a member of a oneof, or a field whose first value is written already.
    Explicit,
    /// Always, and it must not be null: an element of a list.
    Element,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.expected().fmt(formatter)
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.text(text, Some(text.as_ptr().addr()))
    }

    #[inline]
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text, None)
    }

    #[inline]
    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.number(Number::Unsigned(number))
    }

    #[inline]
    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.number(Number::Signed(number))
    }

    #[inline]
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.number(Number::Float(number))
    }

    fn visit_bool<E: Error>(mut self, bool: bool) -> Result<(), E> {
        let taken = self.kind == Kind::Scalar(Scalar::Bool) && self.varint(bool.into());
        if taken { Ok(()) } else { self.fail(None) }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.presence == Presence::Element { self.fail(None) } else { Ok(()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::One(message) = self.kind else {
            return self.fail(None);
        };
        if self.tag == NO_TAG {
            return fields(message, map, self.to);
        }
        let open = self.to.open(self.tag);
        fields(message, map, self.to)?;
        self.to.close(open);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        let kind = match self.kind {
            Kind::Many(message) => Kind::One(message),
            Kind::Texts => Kind::Scalar(Scalar::Text),
            Kind::Numbers(scalar) => {
                let open = self.to.open(self.tag);
                elements(Kind::Scalar(scalar), NO_TAG, list, self.to)?;
                self.to.close(open);
                return Ok(());
            }
            Kind::One(_) | Kind::Scalar(_) => return self.fail(None),
        };
        elements(kind, self.tag, list, self.to)
    }
}

/// Reads a list.
fn elements<'de, A: SeqAccess<'de>>(
    kind: Kind,
    tag: u32,
    mut list: A,
    to: &mut Writer,
) -> Result<(), A::Error> {
    let mut index = 0;
    loop {
        match list.next_element_seed(Value { kind, tag, presence: Presence::Element, to }) {
            Ok(Some(())) => index += 1,
            Ok(None) => return Ok(()),
            Err(error) => {
                to.step(Step::Element(index));
                return Err(error);
            }
        }
    }
}

/// Reads an object's members.
fn fields<'de, A: MapAccess<'de>>(message: Message, mut map: A, to: &mut Writer) -> Result<(), A::Error> {
    let known = message.json_fields();
    let mut likely = 0;
    let mut seen = 0_u32;
    while let Some(found) = map.next_key_seed(Name { known, likely })? {
        let Some((index, field)) = found else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        likely = index + 1;
        let explicit = field.is_optional || seen >> index & 1 == 1;
        seen |= 1 << index;
        let presence = if explicit { Presence::Explicit } else { Presence::Implicit };
        let value = Value { kind: field.kind, tag: field.tag, presence, to };
        if let Err(error) = map.next_value_seed(value) {
            to.step(Step::Field(field.name));
            return Err(error);
        }
    }
    Ok(())
}

/// Reads a name, and finds its field and the field's place among the known ones.
struct Name {
    known: &'static [Field],
    /// Index of the field to try first: writers keep an order.
    likely: usize,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<(usize, &'static Field)>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(usize, &'static Field)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let is = |(_, field): &(usize, &'static Field)| field.name == name;
        let ahead = self.known.iter().enumerate().skip(self.likely).find(is);
        let found = ahead.or_else(|| self.known.iter().enumerate().take(self.likely).find(is));
        if found.is_none() && name.contains('_') {
            return Ok(self.known.iter().enumerate().find(|(_, field)| field.is_spelled(name)));
        }
        Ok(found)
    }
}

impl Value<'_> {
    #[inline]
    fn text<E: Error>(mut self, text: &str, address: Option<usize>) -> Result<(), E> {
        let taken = match self.kind {
            Kind::Scalar(Scalar::Text) => {
                if !self.is_left_out(text.is_empty()) {
                    let Self { tag, to, .. } = &mut self;
                    put_varint(&mut to.out, u64::from(*tag));
                    put_varint(&mut to.out, text.len() as u64);
                    to.out.extend_from_slice(text.as_bytes());
                }
                true
            }
            Kind::Scalar(Scalar::Id(bytes)) => {
                (text.is_empty() || text.len() == 2 * usize::from(bytes)) && self.bytes(text, put_hex)
            }
            Kind::Scalar(Scalar::Bytes) => self.bytes(text, put_base64),
            Kind::Scalar(Scalar::Double) => double(text).is_some_and(|number| self.double(number)),
            Kind::Scalar(
                Scalar::Uint32
                | Scalar::Fixed32
                | Scalar::Int64
                | Scalar::Uint64
                | Scalar::Sint32
                | Scalar::Fixed64
                | Scalar::Sfixed64,
            ) => Number::parse(text).is_some_and(|number| self.integer(number)),
            Kind::Scalar(Scalar::Enum(of)) => of.number(text).is_some_and(|number| self.varint(number)),
            Kind::Scalar(Scalar::Bool) | Kind::One(_) | Kind::Many(_) | Kind::Texts | Kind::Numbers(_) => {
                false
            }
        };
        if taken { Ok(()) } else { self.fail(address) }
    }

    #[inline]
    fn number<E: Error>(mut self, number: Number) -> Result<(), E> {
        let taken = match self.kind {
            Kind::Scalar(Scalar::Double) => self.double(number.double()),
            _ => self.integer(number),
        };
        if taken { Ok(()) } else { self.fail(None) }
    }

    /// Writes the bytes that a string stands for. False if it does not stand for any.
    fn bytes(&mut self, text: &str, put: fn(&mut Vec<u8>, &[u8]) -> bool) -> bool {
        if self.is_left_out(text.is_empty()) {
            return true;
        }
        let open = self.to.open(self.tag);
        let taken = put(&mut self.to.out, text.as_bytes());
        self.to.close(open);
        taken
    }

    /// Writes a number. False where the field does not have integers, or cannot have this one.
    fn integer(&mut self, number: Number) -> bool {
        let Kind::Scalar(scalar) = self.kind else {
            return false;
        };
        match scalar {
            // Negative numbers of 32 bits take ten bytes, as those of 64 bits do.
            Scalar::Enum(_) => {
                let number = number.signed().filter(|number| i32::try_from(*number).is_ok());
                number.is_some_and(|number| self.varint(number.cast_unsigned()))
            }
            Scalar::Int64 => number.signed().is_some_and(|number| self.varint(number.cast_unsigned())),
            Scalar::Uint64 => number.unsigned().is_some_and(|number| self.varint(number)),
            Scalar::Sint32 => int32(number).is_some_and(|number| self.varint(zigzag(number))),
            Scalar::Uint32 => uint32(number).is_some_and(|number| self.varint(number.into())),
            Scalar::Fixed32 => {
                uint32(number).is_some_and(|number| self.fixed(number == 0, &number.to_le_bytes()))
            }
            Scalar::Fixed64 => {
                number.unsigned().is_some_and(|number| self.fixed(number == 0, &number.to_le_bytes()))
            }
            Scalar::Sfixed64 => {
                number.signed().is_some_and(|number| self.fixed(number == 0, &number.to_le_bytes()))
            }
            Scalar::Text | Scalar::Id(_) | Scalar::Bytes | Scalar::Bool | Scalar::Double => false,
        }
    }

    fn double(&mut self, number: f64) -> bool {
        self.fixed(number.to_bits() == 0, &number.to_le_bytes())
    }

    fn varint(&mut self, number: u64) -> bool {
        if !self.is_left_out(number == 0) {
            self.tag();
            put_varint(&mut self.to.out, number);
        }
        true
    }

    fn fixed(&mut self, is_default: bool, bytes: &[u8]) -> bool {
        if !self.is_left_out(is_default) {
            self.tag();
            self.to.out.extend_from_slice(bytes);
        }
        true
    }

    /// Packed numbers have no tags.
    fn tag(&mut self) {
        if self.tag != NO_TAG {
            put_varint(&mut self.to.out, u64::from(self.tag));
        }
    }

    fn is_left_out(&self, is_default: bool) -> bool {
        is_default && self.presence == Presence::Implicit
    }

    /// Notes that the field cannot have the value. `address` is that of a string that stands in the text as it is.
    #[cold]
    fn fail<E: Error>(self, address: Option<usize>) -> Result<(), E> {
        self.to.fail(Met { problem: Problem::Expected(self.kind.expected()), address });
        Err(E::custom(""))
    }
}

fn int32(number: Number) -> Option<i32> {
    number.signed()?.try_into().ok()
}

fn zigzag(number: i32) -> u64 {
    (number << 1 ^ number >> 31).cast_unsigned().into()
}

fn uint32(number: Number) -> Option<u32> {
    number.unsigned()?.try_into().ok()
}
