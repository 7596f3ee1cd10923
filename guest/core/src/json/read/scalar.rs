//! Writes scalars.

use super::super::buffer::Buffer;
use super::super::bytes::{base64_len, put_base64, put_hex};
use super::super::fields::{Kind, Scalar};
use super::super::number::{Number, double};
use super::super::scan::{eight_digits, eight_hex_digits};
use super::super::writer::{NO_TAG, Writer};
use super::string::Text;
use super::{Presence, Reader, Stopped};

impl Reader<'_> {
    /// Reads a value of a field that has texts, and writes it.
    #[inline(always)]
    pub(super) fn text(&mut self, kind: Kind, tag: u32, presence: Presence) -> Result<(), Stopped> {
        if self.peek() != b'"' {
            return self.value(kind, tag, presence);
        }
        self.at += 1;
        let text = self.string()?;
        self.put_string(tag, presence, text);
        Ok(())
    }

    /// Writes a text.
    #[inline(always)]
    pub(super) fn put_string(&mut self, tag: u32, presence: Presence, text: Text) {
        match text {
            Text::Plain { from, to } => {
                if to > from || presence != Presence::Implicit {
                    self.put_head(tag, to - from);
                    self.to.out.put_part(self.body, from, to);
                }
            }
            Text::Unescaped => self.put_unescaped(tag, presence),
        }
    }

    #[inline(never)]
    fn put_unescaped(&mut self, tag: u32, presence: Presence) {
        let count = self.unescaped.len();
        if count > 0 || presence != Presence::Implicit {
            self.put_head(tag, count);
            self.to.out.put_part(self.unescaped.as_slice(), 0, count);
        }
    }

    /// Writes the tag and the length of a text.
    #[inline(always)]
    fn put_head(&mut self, tag: u32, length: usize) {
        if tag < 0x80 && length < 0x80 {
            self.to.out.put_block(&[tag as u8, length as u8], 2);
        } else {
            self.to.out.put_varint(tag.into());
            self.to.out.put_varint(length as u64);
        }
    }

    /// Reads an id of `N` bytes that is written as clients write them, and writes it. False if the value is anything else.
    #[inline(always)]
    pub(super) fn id<const N: usize>(&mut self, tag: u32) -> bool {
        let Some(digits) = self.body.get(self.at + 1..self.at + 1 + 2 * N) else { return false };
        if self.peek() != b'"' || self.body.get(self.at + 1 + 2 * N) != Some(&b'"') || tag >= 0x80 {
            return false;
        }
        let mut id = [0; N];
        for (four, eight) in id.as_chunks_mut::<4>().0.iter_mut().zip(digits.as_chunks::<8>().0) {
            let Some(bytes) = eight_hex_digits(eight) else { return false };
            *four = bytes;
        }
        self.to.out.put_block(&[tag as u8, N as u8], 2);
        self.to.out.put_block(&id, N);
        self.at += 2 * N + 2;
        true
    }

    /// Reads a time as clients write the present ones, a string of 19 digits, and writes it. False if the value is anything else.
    #[inline(always)]
    pub(super) fn time(&mut self, tag: u32) -> bool {
        let Some(text) = self.body.get(self.at..).and_then(|rest| rest.first_chunk::<21>()) else {
            return false;
        };
        let [b'"', text @ .., a, b, c, b'"'] = text else { return false };
        let [a, b, c] = [a, b, c].map(|byte| u64::from(byte.wrapping_sub(b'0')));
        let ([high, low], _) = text.as_chunks::<8>() else { return false };
        let (Some(high), Some(low)) = (eight_digits(high), eight_digits(low)) else { return false };
        if a.max(b).max(c) > 9 || high == 0 || tag >= 0x80 {
            return false;
        }
        let number = (high * 100_000_000 + low) * 1000 + a * 100 + b * 10 + c;
        self.to.out.put(tag as u8);
        self.to.out.put_block(&number.to_le_bytes(), 8);
        self.at += 21;
        true
    }

    /// Writes what a string stands for. False where the field cannot have it.
    pub(super) fn put_text(&mut self, kind: Kind, tag: u32, presence: Presence, text: Text) -> bool {
        let Kind::Scalar(scalar) = kind else { return false };
        if scalar == Scalar::Text {
            self.put_string(tag, presence, text);
            return true;
        }
        let Self { body, unescaped, to, .. } = self;
        let text = text.bytes(body, unescaped);
        let mut put = Put { to, tag, presence };
        match scalar {
            Scalar::Id(bytes) => match text.len() {
                0 => put.bytes(0, |_| true),
                length => length == 2 * usize::from(bytes) && put.bytes(length / 2, |out| put_hex(out, text)),
            },
            Scalar::Bytes => put.bytes(base64_len(text), |out| put_base64(out, text)),
            Scalar::Double => double(text).is_some_and(|number| put.double(number)),
            Scalar::Enum(of) => of.number(text).is_some_and(|number| put.varint(number)),
            Scalar::Text | Scalar::Bool => false,
            Scalar::Uint32
            | Scalar::Fixed32
            | Scalar::Int64
            | Scalar::Uint64
            | Scalar::Sint32
            | Scalar::Fixed64
            | Scalar::Sfixed64 => Number::parse(text).is_some_and(|number| put.integer(scalar, number)),
        }
    }

    /// Writes a number. False where the field cannot have it.
    pub(super) fn put_number(&mut self, kind: Kind, tag: u32, presence: Presence, number: Number) -> bool {
        let mut put = Put { to: &mut self.to, tag, presence };
        match kind {
            Kind::Scalar(Scalar::Double) => put.double(number.double()),
            Kind::Scalar(scalar) => put.integer(scalar, number),
            Kind::One(_) | Kind::Many(_) | Kind::Texts | Kind::Numbers(_) => false,
        }
    }

    /// Writes a truth value. False where the field cannot have it.
    pub(super) fn put_bool(&mut self, kind: Kind, tag: u32, presence: Presence, bool: bool) -> bool {
        kind == Kind::Scalar(Scalar::Bool) && Put { to: &mut self.to, tag, presence }.varint(bool.into())
    }
}

/// Where a scalar is written.
struct Put<'w> {
    to: &'w mut Writer,
    tag: u32,
    presence: Presence,
}

impl Put<'_> {
    /// Writes so many bytes with their length. False if they turn out to be none.
    fn bytes(&mut self, count: usize, put: impl FnOnce(&mut Buffer) -> bool) -> bool {
        if self.is_left_out(count == 0) {
            return true;
        }
        self.to.out.put_varint(self.tag.into());
        self.to.out.put_varint(count as u64);
        put(&mut self.to.out)
    }

    /// Writes a number. False where the field does not have integers, or cannot have this one.
    fn integer(&mut self, scalar: Scalar, number: Number) -> bool {
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
            self.to.out.put_varint(number);
        }
        true
    }

    fn fixed<const N: usize>(&mut self, is_default: bool, bytes: &[u8; N]) -> bool {
        if !self.is_left_out(is_default) {
            self.tag();
            self.to.out.put_block(bytes, N);
        }
        true
    }

    /// Packed numbers have no tags.
    fn tag(&mut self) {
        if self.tag != NO_TAG {
            self.to.out.put_varint(self.tag.into());
        }
    }

    fn is_left_out(&self, is_default: bool) -> bool {
        is_default && self.presence == Presence::Implicit
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
