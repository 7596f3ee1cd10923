//! The module as an OCI image: the "compat" variant of the Wasm Image Specification, one gzipped layer with `plugin.wasm` at
//! its root. Istio, Envoy Gateway and Higress read it, and so does every tool for images, which the other variant, with media types
//! of its own, does not allow.
//!
//! <https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md>

#[cfg(test)]
mod tests;

use std::io;

use flate2::Compression;
use serde_json::json;

use crate::archive::File;
use crate::image::{Description, Image};

/// The image of a proxy-wasm module.
pub fn image(module: &[u8]) -> io::Result<Image> {
    let about = Description {
        // A module runs anywhere, but an image has to name a platform: the one that clients ask for by default.
        architecture: "amd64",
        title: "podstamp proxy-wasm module",
        description: "Stamps app.host.ip on OTLP traces for DeepFlow",
        licenses: "Apache-2.0",
        annotations: &[("module.wasm.image/variant", "compat")],
        execution: json!({}),
        name: None,
    };
    Image::new(&[File::readable("plugin.wasm", module)], about, Compression::best())
}
