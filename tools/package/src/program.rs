//! `podstamp` as a container's root: the program, the libraries that it loads, and the few files that they read. There is no
//! shell, and nothing that a container needs to write.
//!
//! The program is linked with glibc, and the loader, libc, libm and libgcc come along as they are on the machine that built
//! it. Linked statically it would be another program than the one that tests run, and glibc's resolver would load its parts
//! from the outside all the same.

mod certificates;
mod elf;
mod libraries;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
pub use flate2::Compression;
use serde_json::{Value, json};

use crate::archive::File;
use crate::image::{Description, Image};
use elf::Machine;

/// The files of an image of `podstamp`, and what machine they run on.
pub struct Root {
    files: Vec<File>,
    machine: Machine,
}

impl Root {
    /// A root for this program, with the libraries of this machine.
    pub fn new(program: &Path) -> Result<Self> {
        let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        let needs = elf::read_needs(&bytes).with_context(|| program.display().to_string())?;
        let machine = needs.machine;
        let mut files = libraries::of(&needs).with_context(|| program.display().to_string())?;
        files.push(File::executable(PROGRAM, bytes));
        files.push(File::readable("etc/passwd", PASSWD));
        files.push(File::readable("etc/group", GROUP));
        files.push(File::readable("etc/nsswitch.conf", NSSWITCH));
        files.push(File::readable(certificates::PATH, certificates::pem()));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files, machine })
    }

    /// The files, in the order of their paths.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// All bytes of the files together.
    pub fn size(&self) -> usize {
        self.files.iter().map(|file| file.bytes.len()).sum()
    }

    /// An error where the image is larger than it may be, with the largest of its files.
    pub fn check_size(&self) -> Result<()> {
        let mut largest: Vec<_> = self.files.iter().map(|file| (file.bytes.len(), &*file.path)).collect();
        largest.sort();
        let largest: Vec<_> =
            largest.iter().rev().take(3).map(|(size, path)| format!("/{path} {size}")).collect();
        ensure!(
            self.size() <= MAX_SIZE,
            "the image would have {} bytes, and may have {MAX_SIZE}: {}",
            self.size(),
            largest.join(", ")
        );
        Ok(())
    }

    /// The image of these files.
    pub fn image(&self, compression: Compression) -> Result<Image> {
        let about = Description {
            architecture: self.machine.architecture(),
            title: "podstamp",
            description: "Receives OTLP, stamps app.host.ip, the IP of the pod, and forwards to deepflow-agent",
            // podstamp; glibc; libgcc; Mozilla's list of authorities.
            licenses: "Apache-2.0 AND LGPL-2.1-or-later AND GPL-3.0-or-later WITH GCC-exception-3.1 AND CDLA-Permissive-2.0",
            annotations: &[],
            execution: execution(),
            name: Some("podstamp"),
        };
        Ok(Image::new(&self.files, about, compression)?)
    }

    /// Writes the files below a folder, which must not be there yet.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for file in &self.files {
            let path = folder.join(&file.path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, &file.bytes))
                .and_then(|()| set_mode(&path, file.mode))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// How a container runs it. Labels are the annotations that registries and `docker inspect` show.
fn execution() -> Value {
    json!({
        "User": USER,
        "Env": ["PATH=/"],
        "Entrypoint": [format!("/{PROGRAM}")],
        "Cmd": ["serve"],
        "WorkingDir": "/",
        "ExposedPorts": {"4317/tcp": {}, "4318/tcp": {}, "8888/tcp": {}},
        "StopSignal": "SIGTERM",
        "Labels": {
            "org.opencontainers.image.title": "podstamp",
            "org.opencontainers.image.description": "Receives OTLP, stamps app.host.ip, the IP of the pod, and forwards to deepflow-agent",
            "org.opencontainers.image.version": crate::image::VERSION,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    })
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// The program's path in the image.
const PROGRAM: &str = "podstamp";

/// Numbers, since Kubernetes' `runAsNonRoot` takes no name for proof. Images without a distribution use this one.
const USER: &str = "65532:65532";

const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\npodstamp:x:65532:65532:podstamp:/:/sbin/nologin\n";

const GROUP: &str = "root:x:0:\npodstamp:x:65532:\n";

/// What glibc does without the file as well, but for versions that would ask the network first.
const NSSWITCH: &str = "hosts: files dns\n";

/// What every node of a cluster has to fetch and keep: 40 MB, a third of what an image of the Collector has.
const MAX_SIZE: usize = 40_000_000;
