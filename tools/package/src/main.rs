//! Packs podstamp's proxy-wasm module for proxies that fetch it, into `target/package`: the module, its checksum, and an OCI
//! image. It needs nothing but Rust.
//!
//! The output depends on the module alone, so that the same sources and the same compiler give the same bytes, and
//! the image the same digest.

mod archive;
mod blob;
mod image;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use podstamp_guest_build::artifact::{Form, Guest, compile};
use podstamp_guest_build::toolchain::Toolchain;
use podstamp_guest_build::workspace_root;

use crate::image::Image;

fn main() -> ExitCode {
    match module().and_then(|module| package(&module, &workspace_root().join("target/package"))) {
        Ok(told) => {
            // Whoever closes the pipe has read enough.
            io::stdout().write_all(told.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes module and image into this folder, and returns the text that tells of them.
fn package(module: &[u8], folder: &Path) -> Result<String> {
    let image = Image::new(module)?;
    let checksum = format!("{}  {MODULE}\n", blob::hex(module));
    let archive = format!("{NAME}.oci.tar");
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, bytes) in
        [(MODULE, module), (&format!("{MODULE}.sha256"), checksum.as_bytes()), (&archive, &image.archive()?)]
    {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let digest = image.digest();
    let folder = folder.display();
    Ok(format!("{folder}/{MODULE}\n{folder}/{archive} with the image {digest}\n"))
}

/// Builds the module, as the build scripts do.
fn module() -> Result<Vec<u8>> {
    let guest = Guest { package: "podstamp-proxy-wasm", features: &[], form: Form::Module };
    let built = Toolchain::find()
        .and_then(|toolchain| compile(&toolchain, guest, &workspace_root().join("target/guests")))
        .map_err(|error| anyhow!("{error}"))?;
    fs::read(&built.path).with_context(|| format!("cannot read {}", built.path.display()))
}

const NAME: &str = "podstamp.proxy-wasm";

const MODULE: &str = "podstamp.proxy-wasm.wasm";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn written(module: &[u8]) -> (BTreeMap<String, Vec<u8>>, String) {
        let folder = tempfile::tempdir().unwrap();
        let told = package(module, &folder.path().join("package")).unwrap();
        let files = fs::read_dir(folder.path().join("package")).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        });
        (files.collect(), told)
    }

    #[test]
    fn the_module_its_checksum_and_its_image_are_written_the_same_each_time() {
        let module = b"\0asm\x01\0\0\0";
        let (files, told) = written(module);
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["podstamp.proxy-wasm.oci.tar", MODULE, "podstamp.proxy-wasm.wasm.sha256"]);
        assert_eq!(files[MODULE], module);
        // As `sha256sum` prints it, of the smallest module that there is.
        let checksum = "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476";
        let line = format!("{checksum}  podstamp.proxy-wasm.wasm\n");
        assert_eq!(String::from_utf8(files["podstamp.proxy-wasm.wasm.sha256"].clone()).unwrap(), line);
        assert!(told.contains(&Image::new(module).unwrap().digest()), "{told}");
        assert_eq!(written(module).0, files);
    }
}
