//! A request that has passed, as it came.

use podstamp_core::hosting::frame::unframe;
use podstamp_core::hosting::unreadable::Unreadable;
use podstamp_core::interface::Encoding;

use crate::budget::Held;
use crate::head::Head;

/// A request that has passed.
pub(super) struct Captured {
    pub(super) head: Head,
    pub(super) held: Held,
}

impl Captured {
    /// The decoded body, without gRPC's frame.
    pub(super) fn body(&self, limit: usize) -> Result<Vec<u8>, Unreadable> {
        let coding = self.head.coding.clone()?;
        let bytes = self.held.bytes();
        if !self.head.framed {
            return match self.head.encoding {
                Encoding::Grpc => coding.decode_unflagged(bytes.to_vec(), limit),
                Encoding::Protobuf | Encoding::Json => coding.decode(bytes.to_vec(), limit),
            };
        }
        let (message, coded) = unframe(bytes)?;
        if coded { coding.decode(message.to_vec(), limit) } else { Ok(message.to_vec()) }
    }
}
