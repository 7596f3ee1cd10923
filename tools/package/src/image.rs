//! The module as an OCI image: the "compat" variant of the Wasm Image Specification, one gzipped layer with `plugin.wasm` at
//! its root. Istio, Envoy Gateway and Higress read it, and so does every tool for images, which the other variant, with media types
//! of its own, does not allow.
//!
//! <https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md>

#[cfg(test)]
mod tests;

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use crate::archive::tar;
use crate::blob::{Blob, digest};

/// An image of one module.
pub(crate) struct Image {
    layer: Blob,
    config: Blob,
    manifest: Blob,
}

impl Image {
    pub(crate) fn new(module: &[u8]) -> io::Result<Self> {
        let files = tar(&[("plugin.wasm".to_owned(), module)])?;
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", gzip(&files)?);
        let config = Blob::json(
            "application/vnd.oci.image.config.v1+json",
            &json!({
                // A module runs anywhere, but an image has to name a platform: the one that clients ask for by default.
                "architecture": "amd64",
                "os": "linux",
                "created": CREATED,
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [digest(&files)]},
                "history": [{"created": CREATED, "created_by": "cargo xtask package"}],
            }),
        );
        let manifest = Blob::json(
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor(),
                "layers": [layer.descriptor()],
                "annotations": {
                    "module.wasm.image/variant": "compat",
                    "org.opencontainers.image.title": "podstamp proxy-wasm module",
                    "org.opencontainers.image.description": "Stamps app.host.ip on OTLP traces for DeepFlow",
                    "org.opencontainers.image.version": VERSION,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                },
            }),
        );
        Ok(Self { layer, config, manifest })
    }

    /// The digest by which the image is named and checked.
    pub(crate) fn digest(&self) -> String {
        self.manifest.digest()
    }

    /// An OCI image layout in a tar archive, for `skopeo copy oci-archive:FILE`, `oras` and `podman load`.
    pub(crate) fn archive(&self) -> io::Result<Vec<u8>> {
        let layout = json!({"imageLayoutVersion": "1.0.0"}).to_string();
        let index = self.index().to_string();
        let mut files =
            vec![("oci-layout".to_owned(), layout.as_bytes()), ("index.json".to_owned(), index.as_bytes())];
        let blobs = [&self.layer, &self.config, &self.manifest];
        files.extend(blobs.map(|blob| (blob.path(), blob.bytes())));
        files.sort();
        tar(&files)
    }

    fn index(&self) -> Value {
        let mut manifest = self.manifest.descriptor();
        if let Some(descriptor) = manifest.as_object_mut() {
            descriptor
                .insert("annotations".to_owned(), json!({"org.opencontainers.image.ref.name": VERSION}));
        }
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        })
    }
}

/// As `gzip -9n` would, on any system.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder =
        GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The time of creation that an image names: always the same.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// RFC 1952.
const UNKNOWN_SYSTEM: u8 = 255;
