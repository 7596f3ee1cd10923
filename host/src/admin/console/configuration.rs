//! The configuration that runs, for people.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use podstamp_core::interface::Notice;
use serde_json::Value;

use super::annotated::{Annotated, Remark};
use crate::config::shown_lines;

/// The configuration that runs, as it was written, with its notices and without its secrets.
#[derive(Default)]
pub struct Configuration {
    /// JSON.
    annotated: OnceLock<Bytes>,
}

impl Configuration {
    /// Sets the document, as it was before variables of the environment were put into it, and what there is to say about it. Only
    /// the first one counts.
    pub fn show(&self, document: &Value, notices: &[Notice]) {
        self.annotated.get_or_init(|| {
            let annotated = Annotated::new(shown_lines(document), notices.iter().flat_map(Remark::of_notice));
            serde_json::to_vec(&annotated).unwrap_or_default().into()
        });
    }

    /// The lines and the notices as JSON; `None` until somebody has set them.
    pub(super) fn annotated(&self) -> Option<Bytes> {
        self.annotated.get().cloned()
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Configuration").finish_non_exhaustive()
    }
}
