//! The short way for attributes.
//!
//! Most of a request are attributes, and nearly all of them have one form: a key and a value that is no list or map, without blanks
//! and escapes. Such a one is found by holding the text against all that stands between its strings, in one go. Since their lengths
//! are known before anything is written, so are those of the messages. Anything else is read as any object is, from its first
//! bracket on, so that no fault is found here.

use super::super::fields::Kind;
use super::super::number;
use super::super::scan::{self, Literal, Run};
use super::{Reader, Step, Stopped};
use crate::message::Message;
use crate::wire::{FIXED64, LENGTH, VARINT, varint_len};

impl Reader<'_> {
    /// Reads a list of attributes of which the bracket has been read, and the bracket behind them.
    #[inline(never)]
    pub(super) fn attributes(&mut self, tag: u32) -> Result<(), Stopped> {
        // The attribute and its value are objects that nest.
        let may_nest = self.levels >= 2 && tag < 0x80;
        let mut index = 0;
        loop {
            while may_nest && self.short_attribute(tag as u8, index == 0) {
                index += 1;
            }
            match self.element(Kind::One(Message::KeyValue), tag, index == 0) {
                Ok(true) => index += 1,
                Ok(false) => return Ok(()),
                Err(stopped) => {
                    self.step(Step::Element(index));
                    return Err(stopped);
                }
            }
        }
    }

    /// Reads an attribute that has the usual form, and the comma ahead of it. False if it has another one.
    #[inline(always)]
    fn short_attribute(&mut self, tag: u8, is_first: bool) -> bool {
        let body = self.body;
        let begin = match self.peek() {
            b',' if !is_first => self.at + 1,
            b'{' if is_first => self.at,
            _ => return false,
        };
        if !KEY.is_at(body, begin) {
            return false;
        }
        let from = begin + KEY.len();
        let Run { end, is_ascii } = scan::run(body, from);
        // An empty key is not written.
        if end == from || !(is_ascii || is_utf_8(body, from, end)) {
            return false;
        }
        let key = (from, end);
        if !TEXT.is_at(body, end) {
            return self.short_scalar(tag, key);
        }
        let from = end + TEXT.len();
        let Run { end, is_ascii } = scan::run(body, from);
        if ahead(body, end) != Some(b"\"}}") || !(is_ascii || is_utf_8(body, from, end)) {
            return false;
        }
        let count = end - from;
        let value_len = 1 + varint_len(count as u64) + count;
        self.put_key(tag, key, value_len);
        if value_len < 0x80 {
            self.to.out.put_block(&[VALUE_TAG, value_len as u8, TEXT_TAG, count as u8], 4);
        } else {
            self.put_long_head(value_len, count);
        }
        self.to.out.put_part(body, from, end);
        self.at = end + 3;
        true
    }

    /// Reads the value of an attribute that is a number or a truth value, and what stands between it and the key. False if it is
    /// something else.
    #[inline(never)]
    fn short_scalar(&mut self, tag: u8, key: (usize, usize)) -> bool {
        let body = self.body;
        let (_, at) = key;
        if INT.is_at(body, at) {
            let Some((number, end)) = short_int(body, at + INT.len()) else { return false };
            let number = number.cast_unsigned();
            let value_len = 1 + varint_len(number);
            self.put_key(tag, key, value_len);
            self.to.out.put_block(&[VALUE_TAG, value_len as u8, INT_TAG], 3);
            self.to.out.put_varint(number);
            self.at = end + 2;
            return true;
        }
        if BOOL.is_at(body, at) {
            let at = at + BOOL.len();
            let is_true = TRUE.is_at(body, at);
            if !is_true && !FALSE.is_at(body, at) {
                return false;
            }
            self.put_key(tag, key, 2);
            self.to.out.put_block(&[VALUE_TAG, 2, BOOL_TAG, is_true.into()], 4);
            self.at = at + if is_true { TRUE.len() } else { FALSE.len() };
            return true;
        }
        if DOUBLE.is_at(body, at) {
            let at = at + DOUBLE.len();
            if !matches!(body.get(at), Some(b'-' | b'0'..=b'9')) {
                return false;
            }
            let Ok((number, end)) = number::read(body, at) else { return false };
            if ahead(body, end) != Some(b"}}") {
                return false;
            }
            self.put_key(tag, key, 9);
            self.to.out.put_block(&[VALUE_TAG, 9, DOUBLE_TAG], 3);
            self.to.out.put_block(&number.double().to_le_bytes(), 8);
            self.at = end + 2;
            return true;
        }
        false
    }

    /// Writes the beginning of an attribute, and its key.
    #[inline(always)]
    fn put_key(&mut self, tag: u8, (from, end): (usize, usize), value_len: usize) {
        let count = end - from;
        let len = 2 + varint_len(count as u64) + count + varint_len(value_len as u64) + value_len;
        if len < 0x80 {
            self.to.out.put_block(&[tag, len as u8, KEY_TAG, count as u8], 4);
        } else {
            self.put_long_key(tag, count, len);
        }
        self.to.out.put_part(self.body, from, end);
    }

    #[inline(never)]
    fn put_long_key(&mut self, tag: u8, count: usize, len: usize) {
        self.to.out.put(tag);
        self.to.out.put_varint(len as u64);
        self.to.out.put(KEY_TAG);
        self.to.out.put_varint(count as u64);
    }

    #[inline(never)]
    fn put_long_head(&mut self, value_len: usize, count: usize) {
        self.to.out.put(VALUE_TAG);
        self.to.out.put_varint(value_len as u64);
        self.to.out.put(TEXT_TAG);
        self.to.out.put_varint(count as u64);
    }
}

/// The integer at an offset, as a token or in a string, and the offset behind it. `None` where it is another number or takes over
/// 18 digits, or where more follows than the brackets that end an attribute.
#[inline(always)]
fn short_int(body: &[u8], at: usize) -> Option<(i64, usize)> {
    let is_quoted = body.get(at) == Some(&b'"');
    let at = at + usize::from(is_quoted);
    let is_negative = body.get(at) == Some(&b'-');
    let first = at + usize::from(is_negative);
    let mut end = first;
    let mut number = 0;
    while let Some(digit) = body.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        number = 10_i64.wrapping_mul(number).wrapping_add(digit.into());
        end += 1;
    }
    // A token has no zero ahead of other digits.
    let has_zero = !is_quoted && end > first + 1 && body.get(first) == Some(&b'0');
    if end == first || end > first + 18 || has_zero {
        return None;
    }
    if is_quoted {
        if body.get(end) != Some(&b'"') {
            return None;
        }
        end += 1;
    }
    (ahead(body, end) == Some(b"}}")).then_some((if is_negative { -number } else { number }, end))
}

/// The next bytes of a text.
#[inline(always)]
fn ahead<const N: usize>(body: &[u8], at: usize) -> Option<&[u8; N]> {
    body.get(at..)?.first_chunk()
}

#[inline(never)]
fn is_utf_8(body: &[u8], from: usize, to: usize) -> bool {
    body.get(from..to).is_some_and(|part| std::str::from_utf8(part).is_ok())
}

const KEY: Literal = Literal::of(&[br#"{"key":""#]);
/// What stands between a key and each kind of value.
const TEXT: Literal = Literal::of(&[br#"","value":{"stringValue":""#]);
const INT: Literal = Literal::of(&[br#"","value":{"intValue":"#]);
const BOOL: Literal = Literal::of(&[br#"","value":{"boolValue":"#]);
const DOUBLE: Literal = Literal::of(&[br#"","value":{"doubleValue":"#]);
const TRUE: Literal = Literal::of(&[b"true}}"]);
const FALSE: Literal = Literal::of(&[b"false}}"]);

/// The tags of KeyValue's and AnyValue's fields.
const KEY_TAG: u8 = 1 << 3 | LENGTH;
const VALUE_TAG: u8 = 2 << 3 | LENGTH;
const TEXT_TAG: u8 = 1 << 3 | LENGTH;
const BOOL_TAG: u8 = 2 << 3 | VARINT;
const INT_TAG: u8 = 3 << 3 | VARINT;
const DOUBLE_TAG: u8 = 4 << 3 | FIXED64;
