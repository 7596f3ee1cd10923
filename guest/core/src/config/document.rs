//! Reads a document, whatever it is about: entries, sections, their values, and findings.

mod defaults;
mod entry;
mod environment;
pub(crate) mod expand;
mod findings;
mod header;
mod json;
mod listen;
mod nearest;
pub(crate) mod protobuf_struct;
pub(crate) mod quantity;
pub(crate) mod renamed;
mod secret;
mod section;
pub(crate) mod url;

pub use environment::{Environment, ReadScalar, Unresolved};
pub use findings::{Fault, no_effect};
pub use json::read_json;
pub use protobuf_struct::from_struct;
pub use secret::{Place, Secret, Source};
pub use url::{BRACKETS, bracketed};

pub(crate) use defaults::ENABLED;
pub(crate) use entry::Entry;
pub(crate) use findings::Findings;
pub(crate) use header::is_token;
pub(crate) use listen::listen;
pub(crate) use nearest::hint;
pub(crate) use section::Section;
pub(crate) use url::{Url, is_host};
