//! The pod table: which pod has which address, name or uid.
//!
//! Every host of podstamp's filter answers the filter's lookups from a [`Table`], so that all hosts answer alike: the binary,
//! and the module in Envoy, which gets its pods from the binary's `GET /pods`.
//!
//! - [`Builder`] takes one pod at a time, and gives the table, or an [`Indexing`] where building the indexes must not block;
//! - [`Table`] is a [`Directory`](podstamp_core::Directory); it never changes, so that lookups need no lock;
//! - [`listing::write`] makes text of a table, and [`ListingReader`] a table of that text, a bit at a time.
//!
//! The crate has no notion of files, sockets or a clock: it asks its surroundings for nothing but a seed for hash tables.
//! Reading Kubernetes' JSON is its caller's part. To run the filter as a server, use `podstamp`; to answer lookups from a
//! source of your own, implement `Directory`, and this crate is not needed.
//!
//! ```
//! use podstamp_core::directory::{Details, Directory, Fields, Lookup, Term};
//! use podstamp_pods::{Builder, Coverage, ListingReader, KeptKeys, PodParts, Progress, listing};
//!
//! let mut builder = Builder::new(Fields::ALL, KeptKeys::default());
//! let address = "10.244.1.17".parse()?;
//! builder.add(&PodParts { name: "cart-0".into(), ips: vec![address], ..PodParts::default() })?;
//! let text = listing::write(&builder.finish(Coverage::Cluster), Fields::NONE);
//!
//! let mut reader = ListingReader::new(text.into_bytes());
//! while reader.advance(64 * 1024)? == Progress::More {}
//! let table = reader.finish()?;
//! let Lookup::Found(pod) = table.find(&[Term::Ip(address)], Details::default()) else { unreachable!() };
//! assert_eq!(pod.name, "cart-0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! All texts of a table together are at most 4 GiB; a pod has at most 255 addresses. A lookup by label, annotation, node,
//! deployment or namespace builds an index when it is first made, some 10 ms at 100,000 pods.

mod builder;
mod columns;
mod containers;
mod find;
mod index;
mod indexing;
mod lazy;
pub mod listing;
mod parts;
mod skipped;
mod strings;
mod table;
mod time;
mod uid;

pub use builder::Builder;
pub use indexing::Indexing;
pub use listing::{ListingError, ListingReader, Progress};
pub use podstamp_core::directory::{KeptKeys, Keys};

pub use parts::{AddError, Pair, PodParts};
pub use skipped::Skipped;
pub use table::{Coverage, Table};

#[cfg(test)]
mod tests;
