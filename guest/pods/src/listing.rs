//! The pods of a table as text: what `GET /pods` answers.
//!
//! One line a pod, its cells separated by tabs, each line ended by a newline; empty cells at the end of a line are left out.
//!
//! ```text
//! podstamp-pods 1⇥cluster⇥2⇥name⇥ips⇥created⇥uid⇥labels=app,tier⇥started⇥flags
//! 192.168.10.11⇥192.168.10.12
//! cart-0⇥10.244.1.20,fd00:10:244:1::20⇥2026-11-20T08:00:00Z⇥6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a01⇥app=cart
//! node-agent-n1⇥192.168.10.11⇥2026-11-20T08:00:00Z⇥6f0c1d52-3b1e-4a57-9a39-2c1d7e5f0a02⇥⇥2026-11-20T08:00:04Z⇥h
//! ```
//!
//! The first line has the format and its version, which pods these are (`cluster`: all; `part`: some), how many they are,
//! and what the cells of their lines are. Cells whose name a reader does not know are skipped; another version is refused.
//! The second line has the addresses of nodes. A text that ends early is told by the number of pods or the missing newline.
//!
//! | cell | content |
//! |---|---|
//! | `name` | never empty |
//! | `ips` | separated by commas, the primary one first |
//! | `created`, `started` | `metadata.creationTimestamp`, and `status.startTime` where that is another |
//! | `flags` | `h` on the host's network, `f` finished, `d` about to be deleted, `i` not to be found |
//! | `namespace`, `uid`, `node`, `deployment`, `phase` | empty: unknown |
//! | `hostname` | where it is not the name |
//! | `containers` | `name=id`, separated by commas; of an id the first 16 digits, or nothing |
//! | `labels`, `annotations` | `key=value`, separated by commas; the first line names the keys that the table keeps, and none where it keeps all |
//!
//! Pods come sorted by namespace and name, so that the same pods give the same text wherever they were read. `%`, `,`, `=`
//! and control characters in texts are written as `%` and two hexadecimal digits.

mod cell;
mod error;
mod escape;
mod header;
mod reader;
mod row;
mod write;

pub use error::ListingError;
pub use reader::{ListingReader, Progress};
pub use write::write;
