//! An OCI image of one layer: the blobs, and the archive that tools for images take.
//!
//! <https://github.com/opencontainers/image-spec>

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};

use crate::archive::{File, layer, tar};
use crate::blob::{Blob, digest};

/// What an image says of itself, besides its files.
pub(crate) struct Description {
    /// `amd64` or `arm64`, as Go calls them.
    pub(crate) architecture: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// An SPDX expression of all that is in it.
    pub(crate) licenses: &'static str,
    /// Further annotations of the manifest.
    pub(crate) annotations: &'static [(&'static str, &'static str)],
    /// The key `config` of the image's configuration: how a container of it runs.
    pub(crate) execution: Value,
    /// The name under which programs that load the archive know the image, without its tag.
    pub(crate) name: Option<&'static str>,
}

/// An image of one layer.
pub struct Image {
    layer: Blob,
    config: Blob,
    manifest: Blob,
    name: Option<&'static str>,
}

impl Image {
    pub(crate) fn new(files: &[File], about: Description, compression: Compression) -> io::Result<Self> {
        let files = layer(files)?;
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", gzip(&files, compression)?);
        let mut annotations: Map<String, Value> =
            about.annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        annotations.extend(
            [
                ("title", about.title),
                ("description", about.description),
                ("version", VERSION),
                ("licenses", about.licenses),
            ]
            .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.into())),
        );
        let config = Blob::json(
            "application/vnd.oci.image.config.v1+json",
            &json!({
                "architecture": about.architecture,
                "os": "linux",
                "created": CREATED,
                "config": about.execution,
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
                "annotations": annotations,
            }),
        );
        Ok(Self { layer, config, manifest, name: about.name })
    }

    /// The digest by which the image is named and checked.
    pub fn digest(&self) -> String {
        self.manifest.digest()
    }

    /// Name and tag under which the archive is loaded, where it has a name.
    pub fn reference(&self) -> Option<String> {
        self.name.map(|name| format!("{name}:{VERSION}"))
    }

    /// The image's configuration: architecture, and how a container of it runs.
    pub fn config(&self) -> &[u8] {
        self.config.bytes()
    }

    /// The layer, gzipped.
    pub fn layer(&self) -> &[u8] {
        self.layer.bytes()
    }

    /// An OCI image layout in a tar archive, for `skopeo copy oci-archive:FILE`, `ctr image import`, `oras` and `podman load`.
    /// An image with a name has Docker's own manifest beside it, as `docker save` writes it: `docker load` reads no other unless
    /// it keeps images in containerd's store.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let blobs = [&self.layer, &self.config, &self.manifest];
        let mut files: Vec<_> =
            blobs.map(|blob| File::readable(&blob.path(), blob.bytes())).into_iter().collect();
        files.push(File::readable("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string()));
        files.push(File::readable("index.json", self.index().to_string()));
        files.extend(self.reference().map(|reference| {
            let manifest = json!([{
                "Config": self.config.path(), "RepoTags": [reference], "Layers": [self.layer.path()],
            }]);
            File::readable("manifest.json", manifest.to_string())
        }));
        tar(&files)
    }

    fn index(&self) -> Value {
        let mut annotations = json!({"org.opencontainers.image.ref.name": VERSION});
        let mut manifest = self.manifest.descriptor();
        // containerd knows images by names with a registry, and what Kubernetes asks it for without one is Docker's.
        if let (Some(reference), Some(annotations)) = (self.reference(), annotations.as_object_mut()) {
            let reference = format!("docker.io/library/{reference}");
            annotations.insert("io.containerd.image.name".to_owned(), reference.into());
        }
        if let Some(descriptor) = manifest.as_object_mut() {
            descriptor.insert("annotations".to_owned(), annotations);
        }
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        })
    }
}

/// As `gzip -n` would, on any system.
fn gzip(bytes: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    let mut encoder =
        GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), compression);
    encoder.write_all(bytes)?;
    encoder.finish()
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The time of creation that an image names: always the same.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// RFC 1952.
const UNKNOWN_SYSTEM: u8 = 255;
