//! Reads a request in JSON, and writes it in protobuf as it goes.
//!
//! One pass goes over the text, by recursion where objects and lists nest. Clients write the fields of a message in the same order
//! time after time, without blanks: so each name is first held against that of the field which followed last time, as a whole and
//! with its quotes, and only if that fails is it read as JSON has it. Attributes, of which most of a request consists, have a
//! [short way](attribute) of their own.

mod attribute;
mod ignore;
mod scalar;
mod string;

use super::buffer::Buffer;
use super::fields::{Field, Kind, Scalar};
use super::number::{self, Number};
use super::order::Order;
use super::writer::{NO_TAG, Writer};
use crate::fault::{MAX_LEVELS, Problem};
use crate::message::Message;

/// Reads a text.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    body: &'b [u8],
    /// Offset of the next byte to read.
    at: usize,
    /// How many objects and lists may still be entered.
    levels: u32,
    order: Order,
    to: Writer,
    /// A string's text, where it has escapes.
    unescaped: Buffer,
    fault: Fault,
    /// The path of the fault, from the inside outwards.
    trail: Vec<Step>,
}

/// Says that the text has a fault, which the reader has noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

/// What is wrong with a text, and the offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
enum Step {
    Field(&'static str),
    Element(usize),
}

/// When a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// If the value is not the default one.
    Implicit,
    /// Always: a member of a oneof, or a field whose first value is written already.
    Explicit,
    /// Always, and it must not be null: an element of a list.
    Element,
}

impl<'b> Reader<'b> {
    pub(super) fn new(body: &'b [u8]) -> Self {
        Self {
            body,
            at: 0,
            levels: MAX_LEVELS,
            order: Order::new(),
            to: Writer::for_text(body),
            unescaped: Buffer::default(),
            fault: Fault { offset: 0, problem: Problem::Syntax },
            trail: Vec::new(),
        }
    }

    /// Reads the whole text, which is one object, and gives the message that it stands for.
    pub(super) fn read(mut self, message: Message) -> Result<Vec<u8>, (Fault, String)> {
        let read = self.value(Kind::One(message), NO_TAG, Presence::Element);
        match read.and_then(|()| self.end()) {
            Ok(()) => Ok(self.to.finish()),
            Err(Stopped) => Err((self.fault, self.path())),
        }
    }

    /// Reads what may follow the request: blanks.
    fn end(&mut self) -> Result<(), Stopped> {
        self.ahead();
        if self.at < self.body.len() { self.stop(self.at, Problem::Trailing) } else { Ok(()) }
    }

    /// Reads a value, and writes it as a field.
    #[inline(never)]
    fn value(&mut self, kind: Kind, tag: u32, presence: Presence) -> Result<(), Stopped> {
        let byte = self.ahead();
        let begin = self.at;
        let taken = match byte {
            b'"' => {
                self.at += 1;
                let text = self.string()?;
                self.put_text(kind, tag, presence, text)
            }
            b'-' | b'0'..=b'9' => {
                let number = self.number()?;
                self.put_number(kind, tag, presence, number)
            }
            b'{' => {
                self.enter()?;
                let Kind::One(message) = kind else { return self.expected(begin, kind) };
                self.message(message, tag)?;
                self.levels += 1;
                true
            }
            b'[' => {
                self.enter()?;
                self.list(begin, kind, tag)?;
                self.levels += 1;
                true
            }
            b't' => {
                self.word(b"true")?;
                self.put_bool(kind, tag, presence, true)
            }
            b'f' => {
                self.word(b"false")?;
                self.put_bool(kind, tag, presence, false)
            }
            b'n' => {
                self.word(b"null")?;
                presence != Presence::Element
            }
            _ => return self.stop_here(Problem::Syntax),
        };
        if taken { Ok(()) } else { self.expected(begin, kind) }
    }

    /// Reads an object of which the bracket has been read, and writes it as a field.
    #[inline]
    fn message(&mut self, message: Message, tag: u32) -> Result<(), Stopped> {
        if tag == NO_TAG {
            return self.members(message);
        }
        let open = self.to.open(tag, message);
        self.members(message)?;
        self.to.close(open, message);
        Ok(())
    }

    /// Reads an object's members and the bracket behind them.
    fn members(&mut self, message: Message) -> Result<(), Stopped> {
        let known = message.json_fields();
        let mut seen = 0_u32;
        let mut last = None;
        let mut is_first = true;
        while self.comes_another(is_first, b'}')? {
            is_first = false;
            let likely = self.order.after(message, last);
            let found = match known.get(likely) {
                Some(field) if field.quoted.is_at(self.body, self.at) => {
                    self.at += field.quoted.len();
                    self.at += usize::from(self.peek() == b' ');
                    Some((likely, field))
                }
                _ => self.other_name(message, known, last)?,
            };
            let Some((index, field)) = found else { continue };
            let explicit = field.is_optional || seen >> index & 1 == 1;
            seen |= 1 << index;
            last = Some(index);
            let presence = if explicit { Presence::Explicit } else { Presence::Implicit };
            if let Err(stopped) = self.field(field, presence) {
                self.step(Step::Field(field.name()));
                return Err(stopped);
            }
        }
        Ok(())
    }

    /// Whether another member or element comes: reads the comma ahead of one that is not the first, or the bracket behind the last.
    #[inline(always)]
    fn comes_another(&mut self, is_first: bool, bracket: u8) -> Result<bool, Stopped> {
        let byte = self.ahead();
        if byte == bracket {
            self.at += 1;
            return Ok(false);
        }
        if is_first {
            return Ok(true);
        }
        if byte != b',' {
            return self.stop_here(Problem::Syntax);
        }
        self.at += 1;
        if self.ahead() == bracket {
            return self.stop_here(Problem::TrailingComma);
        }
        Ok(true)
    }

    /// Reads a field's value. What clients write as a rule is read here; anything else as any value is.
    #[inline(always)]
    fn field(&mut self, field: &Field, presence: Presence) -> Result<(), Stopped> {
        let Field { kind, tag, .. } = *field;
        let taken = match kind {
            Kind::Scalar(Scalar::Text) => return self.text(kind, tag, presence),
            Kind::Scalar(Scalar::Id(16)) => self.id::<16>(tag),
            Kind::Scalar(Scalar::Id(8)) => self.id::<8>(tag),
            Kind::Scalar(Scalar::Fixed64) => self.time(tag),
            Kind::One(message) if self.peek() == b'{' => {
                self.enter()?;
                self.message(message, tag)?;
                self.levels += 1;
                true
            }
            Kind::Many(message) if self.peek() == b'[' => {
                let begin = self.at;
                self.enter()?;
                if message == Message::KeyValue {
                    self.attributes(tag)?;
                } else {
                    self.list(begin, kind, tag)?;
                }
                self.levels += 1;
                true
            }
            _ => false,
        };
        if taken { Ok(()) } else { self.value(kind, tag, presence) }
    }

    /// Reads a name that is not the likely one, and the colon. If no field has it, its value is read as well.
    #[inline(never)]
    fn other_name(
        &mut self,
        message: Message,
        known: &'static [Field],
        last: Option<usize>,
    ) -> Result<Option<(usize, &'static Field)>, Stopped> {
        let Some((index, field)) = self.name(known)? else {
            self.colon()?;
            self.ignore()?;
            return Ok(None);
        };
        self.order.note(message, last, index);
        if let Err(stopped) = self.colon() {
            self.step(Step::Field(field.name()));
            return Err(stopped);
        }
        Ok(Some((index, field)))
    }

    /// Reads a name, and finds its field and the field's place among the known ones.
    fn name(&mut self, known: &'static [Field]) -> Result<Option<(usize, &'static Field)>, Stopped> {
        if self.peek() != b'"' {
            return self.stop_here(Problem::Syntax);
        }
        self.at += 1;
        let text = self.string()?;
        let name = text.bytes(self.body, &self.unescaped);
        let mut fields = known.iter().enumerate();
        let found = fields.find(|(_, field)| field.quoted.name() == name);
        if found.is_none() && name.contains(&b'_') {
            return Ok(known.iter().enumerate().find(|(_, field)| field.is_spelled(name)));
        }
        Ok(found)
    }

    fn colon(&mut self) -> Result<(), Stopped> {
        if self.ahead() != b':' {
            return self.stop_here(Problem::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a list of which the bracket has been read.
    fn list(&mut self, begin: usize, kind: Kind, tag: u32) -> Result<(), Stopped> {
        let kind = match kind {
            Kind::Many(message) => Kind::One(message),
            Kind::Texts => Kind::Scalar(Scalar::Text),
            Kind::Numbers(scalar) => {
                let open = self.to.open_numbers(tag);
                self.elements(Kind::Scalar(scalar), NO_TAG, 0)?;
                self.to.close_numbers(open);
                return Ok(());
            }
            Kind::One(_) | Kind::Scalar(_) => return self.expected(begin, kind),
        };
        self.elements(kind, tag, 0)
    }

    /// Reads a list's elements and the bracket behind them; `index` of them have been read.
    fn elements(&mut self, kind: Kind, tag: u32, mut index: usize) -> Result<(), Stopped> {
        loop {
            match self.element(kind, tag, index == 0) {
                Ok(true) => index += 1,
                Ok(false) => return Ok(()),
                Err(stopped) => {
                    self.step(Step::Element(index));
                    return Err(stopped);
                }
            }
        }
    }

    /// Reads an element and the comma ahead of it. False if there is none, but the list's end.
    #[inline]
    fn element(&mut self, kind: Kind, tag: u32, is_first: bool) -> Result<bool, Stopped> {
        if !self.comes_another(is_first, b']')? {
            return Ok(false);
        }
        match kind {
            Kind::One(message) if self.peek() == b'{' => {
                self.enter()?;
                self.message(message, tag)?;
                self.levels += 1;
            }
            _ => self.value(kind, tag, Presence::Element)?,
        }
        Ok(true)
    }

    /// Reads the bracket that begins an object or a list.
    #[inline(always)]
    fn enter(&mut self) -> Result<(), Stopped> {
        if self.levels == 0 {
            return self.stop_here(Problem::TooDeep);
        }
        self.levels -= 1;
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Result<Number, Stopped> {
        match number::read(self.body, self.at) {
            Ok((number, end)) => {
                self.at = end;
                Ok(number)
            }
            Err(Fault { offset, problem }) => self.stop(offset, problem),
        }
    }

    /// Reads a word of which the first letter is there.
    fn word(&mut self, word: &[u8]) -> Result<(), Stopped> {
        for letter in word {
            if self.peek() != *letter {
                return self.stop_here(Problem::Syntax);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads blanks, and gives the byte behind them: 0 at the text's end, as that is no byte that JSON has there.
    #[inline(always)]
    fn ahead(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        // Some clients put one blank behind each comma and colon.
        self.at += usize::from(byte == b' ');
        let byte = self.peek();
        if byte > b' ' { byte } else { self.blanks() }
    }

    #[inline(never)]
    fn blanks(&mut self) -> u8 {
        loop {
            match self.peek() {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// The next byte; 0 at the text's end.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.body.get(self.at).copied().unwrap_or_default()
    }

    /// Notes that a value is not what its field has.
    #[cold]
    fn expected<T>(&mut self, begin: usize, kind: Kind) -> Result<T, Stopped> {
        self.stop(begin, Problem::Expected(kind.expected()))
    }

    /// Notes a fault of the next byte, or that there is none.
    #[cold]
    fn stop_here<T>(&mut self, problem: Problem) -> Result<T, Stopped> {
        let ends = self.at >= self.body.len();
        self.stop(self.at, if ends { Problem::End } else { problem })
    }

    #[cold]
    fn stop<T>(&mut self, offset: usize, problem: Problem) -> Result<T, Stopped> {
        self.fault = Fault { offset, problem };
        Err(Stopped)
    }

    /// Notes where a fault is, on the way outwards.
    #[cold]
    fn step(&mut self, step: Step) {
        self.trail.push(step);
    }

    #[cold]
    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.trail.iter().rev() {
            match step {
                Step::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Element(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}
