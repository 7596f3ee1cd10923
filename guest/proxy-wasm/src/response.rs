//! The parts of a response that are read.

use podstamp_core::interface::Header;

/// The status of a response with these headers.
pub(crate) fn status(headers: &[Header]) -> Option<u16> {
    let status = headers.iter().find(|header| header.name == ":status")?;
    std::str::from_utf8(&status.value).ok()?.parse().ok()
}
