//! Reads what stands in a record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::texts::Symbol;

/// Bytes that are left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(super) fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(chunk)
    }

    /// Bytes behind their length.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    pub(super) fn symbol(&mut self) -> Option<Symbol> {
        self.number().map(Symbol)
    }

    /// An address behind its length.
    pub(super) fn address(&mut self) -> Option<IpAddr> {
        match self.byte()? {
            4 => self.chunk().map(|bytes: &[u8; 4]| Ipv4Addr::from(*bytes).into()),
            _ => self.chunk().map(|bytes: &[u8; 16]| Ipv6Addr::from(*bytes).into()),
        }
    }

    /// A number of seven bits a byte, the lowest first.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7F).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
    }
}
