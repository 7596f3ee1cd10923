//! The shared libraries of a program, as its loader would find them in an image: by its own folders alone, without the cache
//! that `ldconfig` makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::elf::{Machine, Needs, read_needs};
use crate::archive::File;

/// The loader and all libraries, also those that libraries need. None where the program is linked statically.
pub(crate) fn of(needs: &Needs) -> Result<Vec<File>> {
    let Some(loader) = &needs.loader else {
        ensure!(
            needs.libraries.is_empty(),
            "it needs {} and names no loader: it is a library",
            needs.libraries.join(", ")
        );
        return Ok(Vec::new());
    };
    let bytes = fs::read(loader).with_context(|| format!("its loader {loader} cannot be read"))?;
    let name = loader.rsplit('/').next().unwrap_or(loader);
    let mut found =
        BTreeMap::from([(name.to_owned(), File::executable(loader.trim_start_matches('/'), bytes))]);
    let mut missing = needs.libraries.clone();
    while let Some(name) = missing.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let (file, needs) = find(&name, needs.machine, &folders(needs.machine))?;
        if name == LIBC {
            ensure!(
                has_resolver(&file.bytes),
                "{} is of a glibc older than 2.34, which looks names up by libraries that no header names: build \
                 on a newer system, Debian 12 for one",
                file.path
            );
        }
        missing.extend(needs.libraries);
        found.insert(name, file);
    }
    Ok(found.into_values().collect())
}

/// The library in the first folder that has it for this machine, and what it needs in turn.
fn find(name: &str, machine: Machine, folders: &[String]) -> Result<(File, Needs)> {
    for folder in folders {
        let path = format!("{folder}/{name}");
        if !Path::new(&path).is_file() {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {path}"))?;
        // A folder may be another machine's: /lib has 32 bits on some systems.
        if let Ok(needs) = read_needs(&bytes)
            && needs.machine == machine
        {
            return Ok((File::readable(path.trim_start_matches('/'), bytes), needs));
        }
    }
    anyhow::bail!("it needs {name}, which is in none of {}", folders.join(", "))
}

/// Where glibc's loader looks of its own accord: with Debian's folders, and those of Fedora and others.
fn folders(machine: Machine) -> [String; 6] {
    let triplet = machine.triplet();
    [
        format!("/lib/{triplet}"),
        format!("/usr/lib/{triplet}"),
        "/lib64".to_owned(),
        "/usr/lib64".to_owned(),
        "/lib".to_owned(),
        "/usr/lib".to_owned(),
    ]
}

/// Whether libc has what reads /etc/hosts and asks DNS: it does since 2.34.
fn has_resolver(libc: &[u8]) -> bool {
    libc.windows(FIRST_WITH_RESOLVER.len()).any(|bytes| bytes == FIRST_WITH_RESOLVER)
}

const LIBC: &str = "libc.so.6";

/// A version of symbols, which later ones of glibc have too.
const FIRST_WITH_RESOLVER: &[u8] = b"GLIBC_2.34\0";
