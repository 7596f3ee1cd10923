//! What can go wrong before the agent runs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why an agent cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The file for the records cannot be opened for appending.
    #[error("cannot append records to {}", path.display())]
    Record {
        /// The file asked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A scripted answer has a status that HTTP does not have.
    #[error("{0} is no HTTP status")]
    Status(u16),
    /// A scripted answer has a header that HTTP does not allow.
    #[error("`{name}: {value}` is no HTTP header")]
    Header {
        /// The name asked for.
        name: String,
        /// The value asked for.
        value: String,
    },
}
