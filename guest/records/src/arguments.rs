//! What the filter's calls take. Bodies are borrowed, so that nothing is copied for them.

use std::net::IpAddr;

use podstamp_core::interface::{Attempt, Header, Outcome, Request, Signal};

use crate::macros::record;
use crate::plain::{write_bytes, write_length};
use crate::reader::{Malformed, Reader};
use crate::record::Record;

record!(Attempt { signal, upstream, encoding, number, elapsed, patience, delivered, random });

/// The argument of `prepare`.
#[derive(Clone, Debug)]
pub struct RequestArguments<'a> {
    signal: Signal,
    path: &'a str,
    peer: Option<IpAddr>,
    headers: Vec<Header>,
    body: &'a [u8],
    now: Option<u64>,
}

impl<'a> RequestArguments<'a> {
    /// Reads what [`write_request`] has written.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let arguments = Self {
            signal: Signal::read(&mut reader)?,
            path: reader.text()?,
            peer: reader.option(|reader| reader.text()?.parse().map_err(|_| Malformed::Text))?,
            headers: Vec::read(&mut reader)?,
            body: reader.bytes()?,
            now: Option::read(&mut reader)?,
        };
        reader.end()?;
        Ok(arguments)
    }

    /// The request.
    pub fn request(&self) -> Request<'_> {
        let Self { signal, path, peer, headers, body, now } = self;
        Request { signal: *signal, path, peer: *peer, headers, body, now: *now }
    }
}

/// Writes the argument of `prepare`.
pub fn write_request(request: &Request<'_>, out: &mut Vec<u8>) {
    let Request { signal, path, peer, headers, body, now } = request;
    signal.write(out);
    write_bytes(path.as_bytes(), out);
    peer.map(|peer| peer.to_string()).write(out);
    write_headers(headers, out);
    write_bytes(body, out);
    now.write(out);
}

/// The argument of `conclude`.
#[derive(Clone, Debug)]
pub struct ConcludeArguments<'a> {
    /// Where the request stands.
    pub attempt: Attempt,
    ended: Ended<'a>,
}

/// [`Outcome`] with the headers of a response owned.
#[derive(Clone, Debug)]
enum Ended<'a> {
    Response { status: u16, headers: Vec<Header>, body: &'a [u8] },
    Other(Outcome<'a>),
}

impl<'a> ConcludeArguments<'a> {
    /// Reads what [`write_attempt`] has written.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let attempt = Attempt::read(&mut reader)?;
        let ended = match reader.case()? {
            0 => Ended::Response {
                status: u16::read(&mut reader)?,
                headers: Vec::read(&mut reader)?,
                body: reader.bytes()?,
            },
            1 => Ended::Other(Outcome::NotConnected(reader.text()?)),
            2 => Ended::Other(Outcome::Away { reason: reader.text()?, after: u32::read(&mut reader)? }),
            3 => Ended::Other(Outcome::Waited),
            4 => Ended::Other(Outcome::Closed(reader.bytes()?)),
            5 => Ended::Other(Outcome::TimedOut),
            6 => Ended::Other(Outcome::Oversized),
            other => return Err(Malformed::Case(other)),
        };
        reader.end()?;
        Ok(Self { attempt, ended })
    }

    /// How the attempt ended.
    pub fn outcome(&self) -> Outcome<'_> {
        match &self.ended {
            Ended::Response { status, headers, body } => Outcome::Response { status: *status, headers, body },
            Ended::Other(outcome) => outcome.clone(),
        }
    }
}

/// Writes the argument of `conclude`.
pub fn write_attempt(attempt: &Attempt, outcome: &Outcome<'_>, out: &mut Vec<u8>) {
    attempt.write(out);
    match outcome {
        Outcome::Response { status, headers, body } => {
            out.push(0);
            status.write(out);
            write_headers(headers, out);
            write_bytes(body, out);
        }
        Outcome::NotConnected(reason) => {
            out.push(1);
            write_bytes(reason.as_bytes(), out);
        }
        Outcome::Away { reason, after } => {
            out.push(2);
            write_bytes(reason.as_bytes(), out);
            after.write(out);
        }
        Outcome::Waited => out.push(3),
        Outcome::Closed(body) => {
            out.push(4);
            write_bytes(body, out);
        }
        Outcome::TimedOut => out.push(5),
        Outcome::Oversized => out.push(6),
    }
}

/// The argument of `diagnose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagnoseArguments<'a> {
    /// The signal of the body.
    pub signal: Signal,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> DiagnoseArguments<'a> {
    /// Reads what [`DiagnoseArguments::write`] has written.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let arguments = Self { signal: Signal::read(&mut reader)?, body: reader.bytes()? };
        reader.end()?;
        Ok(arguments)
    }

    /// Writes the argument.
    pub fn write(self, out: &mut Vec<u8>) {
        self.signal.write(out);
        write_bytes(self.body, out);
    }
}

fn write_headers(headers: &[Header], out: &mut Vec<u8>) {
    write_length(headers.len(), out);
    headers.iter().for_each(|header| header.write(out));
}
