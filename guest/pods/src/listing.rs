//! The pods of a table as text: what `GET /pods` answers.
//!
//! One line a pod, its cells separated by tabs, each line ended by a newline; empty cells at the end of a line are left out.
//!
//! ```text
//! podstamp-pods 2⇥full⇥⇥cluster⇥2⇥name⇥ips⇥created⇥uid⇥node_ips⇥labels=app,tier⇥started⇥flags
//! cart-0⇥10.244.1.20,fd00:10:244:1::20⇥2026-11-20T08:00:00Z⇥6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a01⇥192.168.10.11⇥app=cart
//! node-agent-n1⇥192.168.10.11⇥2026-11-20T08:00:00Z⇥6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a02⇥⇥⇥2026-11-20T08:00:04Z⇥h
//! ```
//!
//! The first line has the format and its version, then
//!
//! - `full`: the lines are all pods; or `delta SINCE LINES`: they are what has changed since that version of the same epoch, and
//!   this many;
//! - the version of the table, `EPOCH.NUMBER`, which a reader names when it asks for what has changed since; or nothing;
//! - which pods these are (`cluster`: all; `part`: some), and how many the table has once the text is read;
//! - what the cells of the lines are. Cells whose name a reader does not know are skipped; another version is refused.
//!
//! | cell | content |
//! |---|---|
//! | `slot` | where the text has a version: the number of the pod's place. Nothing else in the line of a delta: the place is vacant |
//! | `name` | never empty |
//! | `ips` | separated by commas, the primary one first |
//! | `node_ips` | those of its node, where they are not its own |
//! | `created`, `started` | `metadata.creationTimestamp`, and `status.startTime` where that is another |
//! | `flags` | `h` on the host's network, `f` finished, `d` about to be deleted, `i` not to be found |
//! | `namespace`, `uid`, `node`, `deployment`, `phase` | empty: unknown |
//! | `hostname` | where it is not the name, as the kubelet cuts it |
//! | `containers` | `name=id`, separated by commas; of an id the first 16 digits, or nothing |
//! | `labels`, `annotations` | `key=value`, separated by commas; the first line names the keys that the table keeps, and none where it keeps all |
//!
//! Without a version pods come sorted by namespace and name, so that the same pods give the same text wherever they were read.
//! Else they come in the order of their places:
//!
//! ```text
//! podstamp-pods 2⇥delta 17 2⇥9075.19⇥cluster⇥1⇥slot⇥name⇥ips⇥created⇥uid⇥node_ips⇥labels=app,tier⇥started⇥flags
//! 0⇥cart-0⇥10.244.1.21⇥2026-11-20T08:00:00Z⇥6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a01⇥192.168.10.11⇥app=cart
//! 1
//! ```
//!
//! A text that ends early is told by the number of its lines or the missing newline, a delta that was made for another table by the
//! version and the number of pods. `%`, `,`, `=` and control characters in texts are written as `%` and two hexadecimal digits.

mod cell;
mod error;
mod escape;
mod header;
mod reader;
mod row;
mod write;

pub use error::ListingError;
pub use escape::unescape;
pub use reader::{ListingReader, Progress};
pub use write::{write, write_delta, write_full};
