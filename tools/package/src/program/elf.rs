//! What a program or library for Linux needs to be loaded, by its own headers.

use anyhow::{Context as _, Result, bail};
use object::Endianness;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

/// A kind of processor that there are images for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Amd64,
    Arm64,
}

impl Machine {
    /// As Go and OCI call it.
    pub(crate) fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// In the folders of Debian's libraries.
    pub(crate) fn triplet(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }
}

/// What has to be there before a file can be loaded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) machine: Machine,
    /// The path of the loader. `None`: it is a library, or linked statically.
    pub(crate) loader: Option<String>,
    /// Names of libraries, without a folder.
    pub(crate) libraries: Vec<String>,
}

/// Reads the headers of an ELF file of 64 bits.
pub(crate) fn read_needs(bytes: &[u8]) -> Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(bytes)
        .context("not a program for Linux (ELF, 64 bits): build it on Linux, or by the Dockerfile")?;
    let endian = header.endian()?;
    let machine = match header.e_machine(endian) {
        EM_X86_64 => Machine::Amd64,
        EM_AARCH64 => Machine::Arm64,
        other => bail!("for a machine that there are no images for (ELF number {other})"),
    };
    let mut loader = None;
    for segment in header.program_headers(endian, bytes)? {
        if let Some(path) = segment.interpreter(endian, bytes)? {
            loader = Some(String::from_utf8(path.to_vec()).context("the path of its loader is not UTF-8")?);
        }
    }
    let mut libraries = Vec::new();
    let sections = header.sections(endian, bytes)?;
    if let Some((entries, strings)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries.iter().filter(|entry| entry.d_tag(endian) == DT_NEEDED) {
            let name = entry.string(endian, strings)?;
            libraries.push(String::from_utf8(name.to_vec()).context("a library's name is not UTF-8")?);
        }
    }
    Ok(Needs { machine, loader, libraries })
}
