//! The pod table: which pod has which address, name or uid.
//!
//! Whoever runs podstamp's filter answers its lookups from a [`Table`], so that all of them answer alike: the host, and a
//! filter that gets its pods from the host's `GET /pods`. A table never changes. A [`Builder`] fills it one pod at a time;
//! [`listing`] writes one as text, and an [`Intake`] reads that text, a bit at a time where nothing may block for long.
//!
//! It does no I/O and knows no clock. The only thing that it asks of its surroundings is a seed for hash tables.
//!
//! ```
//! use podstamp_core::directory::{Details, Directory, Fields, Lookup, Term};
//! use podstamp_pods::{Builder, Coverage, Intake, Keep, PodParts, Progress, listing};
//!
//! let mut builder = Builder::new(Fields::ALL, Keep::default());
//! let address = "10.244.1.17".parse()?;
//! builder.add(&PodParts { name: "cart-0".into(), ips: vec![address], ..PodParts::default() })?;
//! let text = listing::write(&builder.finish(Coverage::Cluster), Fields::NONE);
//!
//! let mut intake = Intake::new(text.into_bytes());
//! while intake.advance(64 * 1024)? == Progress::More {}
//! let table = intake.finish()?;
//! let Lookup::Found(pod) = table.find(&[Term::Ip(address)], Details::default()) else { unreachable!() };
//! assert_eq!(pod.name, "cart-0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! All texts of a table together are at most 4 GiB; a pod has at most 255 addresses. A lookup by label, annotation, node,
//! deployment or namespace builds an index when it is first made, some 10 ms at 100,000 pods.

mod assembly;
mod builder;
mod columns;
mod containers;
mod find;
mod index;
mod keep;
mod lazy;
pub mod listing;
mod parts;
mod strings;
mod table;
mod time;
mod uid;

pub use assembly::Assembly;
pub use builder::{Builder, Skipped};
pub use keep::{Keep, Keys};
pub use listing::{Intake, ListingError, Progress};
pub use parts::{AddError, Pair, PodParts};
pub use table::{Coverage, Table};

#[cfg(test)]
mod tests;
