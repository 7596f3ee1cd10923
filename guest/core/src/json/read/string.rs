//! Strings.

use super::super::buffer::Buffer;
use super::super::scan::{self, Run};
use super::{Reader, Stopped};
use crate::fault::Problem;

/// Where the text of a string is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// Between these offsets of the body.
    Plain { from: usize, to: usize },
    /// Among what is unescaped.
    Unescaped,
}

impl Text {
    /// The bytes of a string that was read last.
    pub(super) fn bytes<'t>(self, body: &'t [u8], unescaped: &'t Buffer) -> &'t [u8] {
        match self {
            Self::Plain { from, to } => body.get(from..to).unwrap_or_default(),
            Self::Unescaped => unescaped.as_slice(),
        }
    }
}

impl Reader<'_> {
    /// Reads a string whose first quote has been read, and the quote behind it.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Text, Stopped> {
        let from = self.at;
        let run = scan::run(self.body, from);
        if run.is_ascii && self.body.get(run.end) == Some(&b'"') {
            self.at = run.end + 1;
            return Ok(Text::Plain { from, to: run.end });
        }
        self.other_string(run)
    }

    /// Reads the rest of a string that is not as simple as most are, from its first run of plain characters on.
    #[inline(never)]
    fn other_string(&mut self, run: Run) -> Result<Text, Stopped> {
        let from = self.at;
        let Run { mut end, is_ascii: mut all_ascii } = run;
        if self.body.get(end) == Some(&b'"') {
            self.check_utf_8(from, end)?;
            self.at = end + 1;
            return Ok(Text::Plain { from, to: end });
        }
        let mut start = from;
        self.unescaped.clear();
        loop {
            self.unescaped.put_part(self.body, start, end);
            self.at = end;
            match self.peek() {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return self.stop_here(Problem::ControlCharacter),
            }
            start = self.at;
            let run = scan::run(self.body, start);
            all_ascii &= run.is_ascii;
            end = run.end;
        }
        if !all_ascii {
            self.check_utf_8(from, end)?;
        }
        self.at = end + 1;
        Ok(Text::Unescaped)
    }

    /// Reads an escape.
    #[inline]
    fn escape(&mut self) -> Result<(), Stopped> {
        self.at += 1;
        let byte = match self.peek() {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return self.stop_here(Problem::Escape),
        };
        self.at += 1;
        self.unescaped.put(byte);
        Ok(())
    }

    /// Reads an escape of which `\u` has been read, and the second one of a pair.
    #[inline(never)]
    fn unicode_escape(&mut self) -> Result<(), Stopped> {
        let character = match self.unit()? {
            first @ 0xd800..=0xdbff => {
                for expected in b"\\u" {
                    if self.peek() != *expected {
                        return self.stop_here(Problem::Escape);
                    }
                    self.at += 1;
                }
                let second = self.unit()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return self.stop(self.at - 1, Problem::Escape);
                }
                0x1_0000 + ((first - 0xd800) << 10 | (second - 0xdc00))
            }
            character => character,
        };
        let Some(character) = char::from_u32(character) else {
            return self.stop(self.at - 1, Problem::Escape);
        };
        let mut bytes = [0; 4];
        let count = character.encode_utf8(&mut bytes).len();
        self.unescaped.put_block(&bytes, count);
        Ok(())
    }

    /// Reads four hexadecimal digits. Where they are not digits, the fault is at the last of the four.
    pub(super) fn unit(&mut self) -> Result<u32, Stopped> {
        let Some(digits) = self.body.get(self.at..).and_then(|rest| rest.first_chunk::<4>()) else {
            return self.stop(self.body.len(), Problem::End);
        };
        self.at += 4;
        let unit =
            digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?));
        match unit {
            Some(unit) => Ok(unit),
            None => self.stop(self.at - 1, Problem::Escape),
        }
    }

    /// Checks a part of the body. The place of the fault is found in the whole of it, when this has ended the reading.
    #[inline(never)]
    pub(super) fn check_utf_8(&mut self, from: usize, to: usize) -> Result<(), Stopped> {
        match self.body.get(from..to).map(std::str::from_utf8) {
            Some(Ok(_)) => Ok(()),
            _ => self.stop(from, Problem::Syntax),
        }
    }
}
