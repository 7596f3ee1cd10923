//! Which compiler builds the guests.
//!
//! In this order: the compiler in use, when it has the target installed; a distribution's compiler that has std's
//! sources, which then builds std along with the guest. `PODSTAMP_WASM_TOOLCHAIN` forces one of the two. Versions are
//! found by asking the programs, and nothing is downloaded: see [`setup`](crate::setup) for that.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::workspace::{CHOICE_VARIABLE, TARGET};

/// A compiler for guests, with what it needs besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    kind: Kind,
    cargo: PathBuf,
    rustc: PathBuf,
    /// `None` where the compiler finds its own.
    linker: Option<PathBuf>,
    compiler: Compiler,
}

/// Where a guest's std comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The target is installed.
    Installed,
    /// A distribution's sources, built along with the guest.
    Source,
}

/// The choice that `PODSTAMP_WASM_TOOLCHAIN` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing: whatever is found first.
    Any,
    /// `rustup`: the compiler in use, with its target.
    Rustup,
    /// `distro`: the distribution's compiler, with its sources.
    Distro,
}

/// A compiler's own words about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Compiler {
    release: String,
    llvm: u32,
    host: String,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Finds the toolchain to use, without installing anything.
    pub fn find() -> Result<Self, Error> {
        let choice = Choice::from_environment()?;
        let mut tried = Vec::new();
        if choice != Choice::Distro {
            match Self::installed() {
                Ok(found) => return Ok(found),
                Err(lacks) => tried.push(lacks),
            }
        }
        if choice != Choice::Rustup {
            match Self::source() {
                Ok(found) => return Ok(found),
                Err(lacks) => tried.push(lacks),
            }
        }
        Err(Error::NoToolchain { tried })
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        let rustc = self.rustc.display();
        let release = &self.compiler.release;
        match (self.kind, &self.linker) {
            (Kind::Installed, None) => format!("{rustc} {release} with the target {TARGET}"),
            (Kind::Installed, Some(linker)) => {
                format!("{rustc} {release} with the target {TARGET}, linking with {}", linker.display())
            }
            (Kind::Source, None) => format!("{rustc} {release}, building std from source"),
            (Kind::Source, Some(linker)) => {
                format!("{rustc} {release}, building std from source, linking with {}", linker.display())
            }
        }
    }

    /// Where a guest's std comes from.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The directories of std's sources, if there are any: as the compiler names them, and as they resolve.
    pub fn std_sources(&self) -> Vec<PathBuf> {
        let named = self.compiler.sources();
        let resolved = fs::canonicalize(&named).ok();
        resolved.into_iter().chain([named]).collect()
    }

    /// Cargo, set to build for [`TARGET`] and for nothing that the caller's own cargo was asked for. `subcommand` is the
    /// first argument.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = Command::new(&self.cargo);
        for (name, _) in env::vars_os() {
            if !is_kept(&name) {
                cargo.env_remove(&name);
            }
        }
        cargo.arg(subcommand).args(["--target", TARGET]).env("RUSTC", &self.rustc);
        if self.kind == Kind::Source {
            // std's own crates are unstable, and so is building them; the distribution's compiler is not a nightly one.
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
            // rustup's proxies put the libraries of their toolchain here.
            cargo.env_remove("LD_LIBRARY_PATH");
            let first = self.rustc.parent().map(Path::to_path_buf);
            if let Ok(path) = env::join_paths(first.into_iter().chain(path_directories())) {
                cargo.env("PATH", path);
            }
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }

    /// The compiler in use, if the target is installed for it. The error says what it lacks.
    fn installed() -> Result<Self, String> {
        let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let rustc = match env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()) {
            Some(rustc) => PathBuf::from(rustc),
            // The compiler that belongs to this cargo, whatever PATH says.
            None => Some(cargo.with_file_name("rustc"))
                .filter(|beside| beside.is_file())
                .unwrap_or_else(|| PathBuf::from("rustc")),
        };
        let compiler = Compiler::ask(&rustc)?;
        let libraries = ask(&rustc, &["--print", "target-libdir", "--target", TARGET])?;
        if !["libcore-", "libstd-"].iter().all(|library| holds(Path::new(libraries.trim()), library)) {
            return Err(format!(
                "{} {}: target {TARGET} is not installed",
                rustc.display(),
                compiler.release
            ));
        }
        let linker = compiler.linker()?;
        Ok(Self { kind: Kind::Installed, cargo, rustc, linker, compiler })
    }

    /// The distribution's compiler, if it can build std. The error says what it lacks.
    fn source() -> Result<Self, String> {
        let directory = Path::new(DISTRIBUTION);
        let (cargo, rustc) = (directory.join("cargo"), directory.join("rustc"));
        if let Some(absent) = [&rustc, &cargo].into_iter().find(|program| !program.is_file()) {
            return Err(format!("{}: not installed", absent.display()));
        }
        let compiler = Compiler::ask(&rustc)?;
        let sources = compiler.sources();
        // Cargo looks nowhere else for them.
        if !sources.join("library/std/Cargo.toml").is_file() {
            return Err(format!("{}: no sources of std in {}", rustc.display(), sources.display()));
        }
        let linker = compiler.linker()?;
        Ok(Self { kind: Kind::Source, cargo, rustc, linker, compiler })
    }
}

impl Choice {
    /// Reads `PODSTAMP_WASM_TOOLCHAIN`.
    pub fn from_environment() -> Result<Self, Error> {
        Self::parse(&env::var_os(CHOICE_VARIABLE).unwrap_or_default())
    }

    fn parse(value: &OsStr) -> Result<Self, Error> {
        match value.to_str() {
            Some("") => Ok(Self::Any),
            Some("rustup") => Ok(Self::Rustup),
            Some("distro") => Ok(Self::Distro),
            _ => Err(Error::UnknownChoice(value.to_string_lossy().into_owned())),
        }
    }
}

impl Compiler {
    /// Asks for the version and the place; a compiler older than the workspace allows is refused.
    fn ask(rustc: &Path) -> Result<Self, String> {
        let verbose = ask(rustc, &["--version", "--verbose"])?;
        let field = |name: &str| verbose.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let release = field("release:").unwrap_or_default().to_string();
        if version(&release) < version(MINIMUM) {
            return Err(format!("{} {release}: older than {MINIMUM}", rustc.display()));
        }
        Ok(Self {
            llvm: version(field("LLVM version:").unwrap_or_default()).0,
            host: field("host:").unwrap_or_default().to_string(),
            sysroot: PathBuf::from(ask(rustc, &["--print", "sysroot"])?.trim()),
            release,
        })
    }

    fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust")
    }

    /// The linker to name to this compiler; `None` where it finds its own.
    fn linker(&self) -> Result<Option<PathBuf>, String> {
        let own = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        if own.is_file() || path_directories().any(|directory| directory.join("rust-lld").is_file()) {
            return Ok(None);
        }
        newest_linker(path_directories(), self.llvm).map(Some).ok_or_else(|| {
            format!("rustc {}: no rust-lld, and no wasm-ld {} or newer", self.release, self.llvm)
        })
    }
}

/// The directories where programs are.
pub(crate) fn path_directories() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// Major and minor number of a version, zero for a part that is not a number.
pub(crate) fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The newest `wasm-ld` or `wasm-ld-N`, as they say themselves. An LLD reads what its own LLVM and older ones wrote, so
/// anything older than `llvm` is left out.
fn newest_linker(directories: impl Iterator<Item = PathBuf>, llvm: u32) -> Option<PathBuf> {
    let mut found: Vec<((u32, u32), PathBuf)> = Vec::new();
    for directory in directories {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(suffix) = name.to_str().and_then(|name| name.strip_prefix("wasm-ld")) else { continue };
            let numbered = suffix.strip_prefix('-').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
            if !(suffix.is_empty() || numbered) {
                continue;
            }
            let path = entry.path();
            // "Debian LLD 22.1.8 (compatible with GNU linkers)"
            let Ok(says) = ask(&path, &["--version"]) else { continue };
            let Some((_, number)) = says.split_once("LLD ") else { continue };
            found.push((version(number), path));
        }
    }
    found.sort();
    found.pop().filter(|((major, _), _)| *major >= llvm).map(|(_, path)| path)
}

/// Runs a program that answers on stdout. The error says what stood in the way.
fn ask(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let answer = Command::new(program)
        .args(arguments)
        // A proxy of rustup would rather download a toolchain than say that it has none.
        .env("RUSTUP_AUTO_INSTALL", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !answer.status.success() {
        let says = String::from_utf8_lossy(&answer.stderr);
        return Err(format!("{}: {}", program.display(), says.lines().next().unwrap_or("failed")));
    }
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// Whether a directory holds a Rust library whose name begins so.
fn holds(directory: &Path, library: &str) -> bool {
    fs::read_dir(directory).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(library) && name.ends_with(".rlib"))
        })
    })
}

/// Whether the inner cargo may see a variable. What an outer cargo, clippy or a user meant for the host's build (wrappers,
/// flags, profiles, targets, the job server) would change the guest or break it; where crates come from stays.
fn is_kept(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return true };
    let build = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "CLIPPY_", "DEP_"];
    let script =
        ["OUT_DIR", "TARGET", "HOST", "PROFILE", "OPT_LEVEL", "DEBUG", "NUM_JOBS", "MAKEFLAGS", "MFLAGS"];
    let source = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_"];
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    starts(&source) || !(starts(&build) || script.contains(&name))
}

/// The oldest compiler that builds the workspace.
pub(crate) const MINIMUM: &str = env!("CARGO_PKG_RUST_VERSION");
/// Where distributions put their programs, rustup or not.
const DISTRIBUTION: &str = "/usr/bin";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(directory: &Path, name: &str, says: &str) {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_newest_linker_is_the_one_that_says_so() {
        let directory = tempfile::tempdir().unwrap();
        program(directory.path(), "wasm-ld", "LLD 9.0.1");
        program(directory.path(), "wasm-ld-14", "Debian LLD 14.0.6 (compatible with GNU linkers)");
        program(directory.path(), "wasm-ld-9", "Debian LLD 22.1.8");
        program(directory.path(), "wasm-ld-wrapper", "LLD 99.0");
        let newest = |llvm| newest_linker([directory.path().to_path_buf()].into_iter(), llvm);
        assert_eq!(newest(22), Some(directory.path().join("wasm-ld-9")));
        assert_eq!(newest(23), None, "an older linker cannot read newer objects");
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("1.100.0") > version("1.95"));
        assert_eq!(version("1.96.0+dfsg1-1~deb12u2"), (1, 96));
        assert_eq!(version("22"), (22, 0));
        assert_eq!(version(""), (0, 0));
    }

    #[test]
    fn an_outer_cargo_does_not_reach_the_inner_one() {
        for name in [
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_MAKEFLAGS",
            "RUSTC",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "OUT_DIR",
            "CARGO_FEATURE_X",
        ] {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn an_unknown_choice_is_refused() {
        assert_eq!(Choice::parse(OsStr::new("distro")).unwrap(), Choice::Distro);
        assert_eq!(Choice::parse(OsStr::new("")).unwrap(), Choice::Any);
        assert!(Choice::parse(OsStr::new("nightly")).is_err());
    }
}
