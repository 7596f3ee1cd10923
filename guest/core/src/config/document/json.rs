//! JSON as a document's text.

use serde_json::{Error, Value};

/// Reads a JSON text.
///
/// Every guest reads JSON here, and as a text: wherever else serde_json is asked, be it by another crate or for bytes, the compiler
/// makes one more reader, of 25 kB, and the module for proxies has no room for it.
#[inline(never)]
pub fn read_json(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text)
}
