//! The parts of a response that are read.

use podstamp_core::interface::Header;

/// The status of a response with these headers.
pub(crate) fn status(headers: &[Header]) -> Option<u16> {
    parse_status(&headers.iter().find(|header| header.name == STATUS)?.value)
}

/// Reads the value of [`STATUS`].
pub(crate) fn parse_status(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The header that has a response's status.
pub(crate) const STATUS: &str = ":status";
