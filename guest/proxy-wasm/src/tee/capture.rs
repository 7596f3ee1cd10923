//! The body of a request while it passes.

use std::rc::Rc;

use podstamp_core::export::frame::unframe;
use podstamp_core::export::unreadable::Unreadable;
use podstamp_core::interface::Encoding;

use crate::abi::{Buffer, host};
use crate::budget::Held;
use crate::head::Head;
use crate::plugin::Plugin;

/// The body of a request while it passes.
pub(crate) struct Capture {
    plugin: Rc<Plugin>,
    held: Option<(Head, Held)>,
}

/// A request that has passed.
pub(crate) struct Captured {
    pub(crate) head: Head,
    pub(super) held: Held,
}

impl Capture {
    pub(crate) fn new(plugin: Rc<Plugin>, head: Head) -> Self {
        let held = plugin.budget().empty().map(|held| (head, held));
        let capture = Self { plugin, held };
        if capture.held.is_none() {
            capture.not_taken();
        }
        capture
    }

    /// `size` bytes of the body pass.
    pub(crate) fn chunk(&mut self, size: usize) {
        let Some((_, held)) = &mut self.held else { return };
        if size == 0 {
            return;
        }
        let fits = held.bytes().len() + size <= self.plugin.config().limits.body as usize
            && host::buffer(Buffer::RequestBody, 0, size).is_ok_and(|bytes| held.append(&bytes));
        if !fits {
            self.held = None;
            self.not_taken();
        }
    }

    /// How many spans are lost, nobody knows.
    fn not_taken(&self) {
        self.plugin.metrics().copy_not_taken();
        self.plugin.counted();
        self.plugin.notices().warn("copy-not-taken", || {
            "a request was not copied: its body is over podstamp.limits.body, or all that are held are over \
             podstamp.limits.in_flight_bytes"
                .to_owned()
        });
    }

    /// The body has passed.
    pub(crate) fn end(&mut self) {
        if let Some((head, held)) = self.held.take() {
            self.plugin.copies().offer(Captured { head, held });
            self.plugin.schedule();
        }
    }
}

impl Captured {
    /// The body, its coding undone and without gRPC's frame.
    pub(super) fn body(&self, limit: usize) -> Result<Vec<u8>, Unreadable> {
        let coding = self.head.coding.clone()?;
        let bytes = self.held.bytes();
        if !self.head.framed {
            return match self.head.encoding {
                Encoding::Grpc => coding.undo_unflagged(bytes.to_vec(), limit),
                Encoding::Protobuf | Encoding::Json => coding.undo(bytes.to_vec(), limit),
            };
        }
        let (message, coded) = unframe(bytes)?;
        if coded { coding.undo(message.to_vec(), limit) } else { Ok(message.to_vec()) }
    }
}
