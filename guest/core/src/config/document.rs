//! How a document is read, whatever it is about: places in it, their values, and what there is to say of them.

mod entry;
pub(crate) mod expand;
mod findings;
mod header;
mod nearest;
pub(crate) mod protobuf_struct;
pub(crate) mod quantity;
pub(crate) mod renamed;
mod secret;
mod section;
pub(crate) mod url;

pub use findings::{Fault, no_effect};
pub use protobuf_struct::from_struct;
pub use secret::{Place, Secret, Source};
pub use url::{BRACKETS, bracketed};

pub(crate) use entry::Node;
pub(crate) use findings::Findings;
pub(crate) use header::is_token;
pub(crate) use nearest::hint;
pub(crate) use section::Section;
pub(crate) use url::{Url, is_host, is_port};
