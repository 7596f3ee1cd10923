use std::collections::BTreeMap;
use std::io::{self, Read as _};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::image;
use crate::blob::{digest, hex};

/// Larger than a block of a tar archive, and nothing that gzip makes small.
fn module() -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    b"\0asm\x01\0\0\0".iter().copied().chain((0..10_000).map(|_| next())).collect()
}

/// The files of an archive, with all that it says about them the same.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let read = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(header.entry_type(), tar::EntryType::Regular);
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        assert_eq!((header.mode().unwrap(), owner), (0o644, (0, 0, 0)));
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (path, bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

/// An image as it is read by who only has its archive.
struct Reader {
    files: BTreeMap<String, Vec<u8>>,
    met: usize,
}

impl Reader {
    /// What a descriptor refers to, its size and digest checked.
    fn follow(&mut self, descriptor: &Value, media_type: &str) -> Vec<u8> {
        assert_eq!(descriptor["mediaType"], media_type);
        let digest = descriptor["digest"].as_str().unwrap();
        let digits = digest.strip_prefix("sha256:").unwrap();
        let bytes = &self.files[&format!("blobs/sha256/{digits}")];
        assert_eq!(
            (hex(bytes), bytes.len() as u64),
            (digits.to_owned(), descriptor["size"].as_u64().unwrap())
        );
        self.met += 1;
        bytes.clone()
    }

    fn follow_json(&mut self, descriptor: &Value, media_type: &str) -> Value {
        serde_json::from_slice(&self.follow(descriptor, media_type)).unwrap()
    }
}

fn only(list: &Value) -> &Value {
    let [one] = &list.as_array().unwrap()[..] else { panic!("{list}") };
    one
}

#[test]
fn the_module_is_found_from_the_index_on() {
    let image = image(&module()).unwrap();
    let mut reader = Reader { files: files(&image.archive().unwrap()), met: 0 };
    let json = |reader: &Reader, name: &str| serde_json::from_slice::<Value>(&reader.files[name]).unwrap();
    assert_eq!(json(&reader, "oci-layout")["imageLayoutVersion"], "1.0.0");
    let index = json(&reader, "index.json");
    assert_eq!(index["schemaVersion"], 2);
    let entry = only(&index["manifests"]);
    assert_eq!(entry["digest"].as_str(), Some(&*image.digest()));
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], env!("CARGO_PKG_VERSION"));

    let manifest = reader.follow_json(entry, "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["mediaType"], entry["mediaType"]);
    assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
    let config = reader.follow_json(&manifest["config"], "application/vnd.oci.image.config.v1+json");
    let layer = reader.follow(only(&manifest["layers"]), "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(reader.files.len(), 2 + reader.met, "nothing else is there");

    let mut unpacked = Vec::new();
    GzDecoder::new(layer.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(only(&config["rootfs"]["diff_ids"]).as_str(), Some(&*digest(&unpacked)));
    assert_eq!(files(&unpacked), [("plugin.wasm".to_owned(), module())].into());
}

#[test]
fn the_same_module_gives_the_same_bytes_and_another_one_others() {
    let archive = |module: &[u8]| image(module).unwrap().archive().unwrap();
    assert_eq!(archive(&module()), archive(&module()));
    let digest = |module: &[u8]| image(module).unwrap().digest();
    assert_ne!(digest(&module()), digest(&[module(), vec![0]].concat()));
}

#[test]
fn the_layer_says_nothing_of_when_and_where_it_was_packed() {
    let image = image(&module()).unwrap();
    // RFC 1952: no flags and so no name, no time, best compression, no system.
    assert_eq!(image.layer()[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
}
