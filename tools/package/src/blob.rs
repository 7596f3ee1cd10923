//! Content by its digest, as OCI keeps it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Bytes of a kind.
pub(crate) struct Blob {
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, bytes }
    }

    pub(crate) fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `sha256:` and the digest.
    pub(crate) fn digest(&self) -> String {
        digest(&self.bytes)
    }

    /// The blob's path in an image layout.
    pub(crate) fn path(&self) -> String {
        format!("blobs/sha256/{}", hex(&self.bytes))
    }

    /// The descriptor that refers to the blob.
    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// SHA-256, in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
