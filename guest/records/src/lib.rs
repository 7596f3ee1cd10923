//! The types between a host and podstamp's filter as bytes: records, for hosts that have no component model.
//!
//! `docs/abi.md` describes the form. The types are those of [`podstamp_core::interface`], with their fields in the order that
//! `wit/` declares. The module for such hosts reads and writes them with this crate; so does a host in Rust.
//!
//! ```
//! use podstamp_core::interface::Header;
//! use podstamp_records::Record;
//!
//! let bytes = Header::new("content-type", "application/json").to_bytes();
//! assert_eq!(bytes[..4], [12, 0, 0, 0]);
//! assert_eq!(Header::from_bytes(&bytes)?, Header::new("content-type", "application/json"));
//! # Ok::<(), podstamp_records::Malformed>(())
//! ```

mod arguments;
mod macros;
mod plain;
mod reader;
mod record;
mod results;

pub use arguments::{ConcludeArguments, DiagnoseArguments, RequestArguments, write_attempt, write_request};
pub use reader::{Malformed, Reader};
pub use record::Record;
pub use results::{BodyFault, PodsState, Settings};

#[cfg(test)]
mod tests;
