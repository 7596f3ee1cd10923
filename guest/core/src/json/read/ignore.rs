//! Values of fields that OTLP does not have: they have to be JSON, however deep they nest.

use super::super::number;
use super::super::scan::{self, Run};
use super::{Fault, Reader, Stopped};
use crate::fault::Problem;

impl Reader<'_> {
    /// Reads a value of which nothing is written.
    #[inline(never)]
    pub(super) fn ignore(&mut self) -> Result<(), Stopped> {
        // The brackets that are open.
        let mut enclosing = Vec::new();
        loop {
            match self.ahead() {
                b'"' => self.ignore_string()?,
                b'-' | b'0'..=b'9' => self.ignore_number()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                bracket @ (b'[' | b'{') => {
                    self.at += 1;
                    if self.ahead() != closing(bracket) {
                        enclosing.push(bracket);
                        self.ignored_name(bracket)?;
                        continue;
                    }
                    self.at += 1;
                }
                _ => return self.stop_here(Problem::Syntax),
            }
            loop {
                let Some(bracket) = enclosing.last().copied() else { return Ok(()) };
                match self.ahead() {
                    b',' => {
                        self.at += 1;
                        self.ignored_name(bracket)?;
                        break;
                    }
                    byte if byte == closing(bracket) => {
                        self.at += 1;
                        enclosing.pop();
                    }
                    _ => return self.stop_here(Problem::Syntax),
                }
            }
        }
    }

    /// Reads the name ahead of a value and the colon, if the value is in an object.
    fn ignored_name(&mut self, bracket: u8) -> Result<(), Stopped> {
        if bracket == b'[' {
            return Ok(());
        }
        if self.ahead() != b'"' {
            return self.stop_here(Problem::Syntax);
        }
        self.ignore_string()?;
        self.colon()
    }

    /// Reads a string that begins here. Halves of pairs may stand in it: nobody reads them.
    fn ignore_string(&mut self) -> Result<(), Stopped> {
        self.at += 1;
        let from = self.at;
        let mut all_ascii = true;
        loop {
            let Run { end, is_ascii } = scan::run(self.body, self.at);
            all_ascii &= is_ascii;
            self.at = end;
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    match self.peek() {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            self.at += 1;
                            self.unit()?;
                        }
                        _ => return self.stop_here(Problem::Escape),
                    }
                }
                _ => return self.stop_here(Problem::ControlCharacter),
            }
        }
        if !all_ascii {
            self.check_utf_8(from, self.at)?;
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a number, however large it is.
    fn ignore_number(&mut self) -> Result<(), Stopped> {
        match number::end(self.body, self.at) {
            Ok(end) => {
                self.at = end;
                Ok(())
            }
            Err(Fault { offset, problem }) => self.stop(offset, problem),
        }
    }
}

fn closing(bracket: u8) -> u8 {
    if bracket == b'[' { b']' } else { b'}' }
}
