//! The pod table: which pod has which address, name or uid.
//!
//! Every host of podstamp's filter answers the filter's lookups from a [`Table`], so that all hosts answer alike: the binary,
//! and the module in Envoy, which gets its pods from the binary's `GET /pods`.
//!
//! - [`Table`] is a [`Directory`](podstamp_core::Directory). It changes in place, one pod at a time, and a clone of it is a snapshot,
//!   which no change touches and which lookups need no lock for;
//! - [`listing`] makes text of a table or of what has changed in it, and [`ListingReader`] a table of that text, a bit at a time.
//!
//! The crate has no notion of files, sockets or a clock: it asks its surroundings for nothing but a seed for hash tables.
//! Reading Kubernetes' JSON is its caller's part. To run the filter as a server, use `podstamp`; to answer lookups from a
//! source of your own, implement `Directory`, and this crate is not needed.
//!
//! ```
//! use podstamp_core::directory::{Details, Directory, Fields, Lookup, Term};
//! use podstamp_pods::{Coverage, KeptKeys, ListingReader, PodParts, Progress, Table, listing};
//!
//! let mut table = Table::new(Fields::ALL, KeptKeys::default(), Coverage::Cluster);
//! let address = "10.244.1.17".parse()?;
//! let slot = table.upsert(&PodParts { name: "cart-0".into(), ips: vec![address], ..PodParts::default() })?;
//! let snapshot = table.clone();
//! table.remove(slot);
//! let text = listing::write_full(&snapshot, Fields::NONE);
//!
//! let mut reader = ListingReader::new(text.into_bytes());
//! while reader.advance(64 * 1024)? == Progress::More {}
//! let again = reader.finish()?;
//! let Lookup::Found(pod) = again.find(&[Term::Ip(address)], Details::default()) else { unreachable!() };
//! assert_eq!(pod.name, "cart-0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! A table has room for 67 million pods, and as many texts that pods share; a pod has at most 255 addresses. A lookup by label,
//! annotation, host name, node, deployment or namespace goes through all pods, some milliseconds at 100,000, until
//! [`Table::index`] has built an index for it, which later changes keep up.

mod change_keys;
mod containers;
mod entry;
mod find;
mod index;
pub mod listing;
mod pages;
mod part;
mod parts;
mod record;
mod skipped;
mod slot;
mod table;
mod texts;
mod time;
mod touched;
mod uid;
mod version;

pub use listing::{ListingError, ListingReader, Progress};
pub use podstamp_core::directory::{KeptKeys, Keys};

pub use parts::{AddError, Pair, PodParts};
pub use skipped::Skipped;
pub use slot::Slot;
pub use table::{Coverage, Table};
pub use touched::Touched;
pub use version::{InvalidVersion, Version};

#[cfg(test)]
mod tests;
