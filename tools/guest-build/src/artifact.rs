//! Guests for build scripts.

#![expect(clippy::print_stdout, reason = "build scripts talk to cargo on stdout")]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use wit_component::ComponentEncoder;

use crate::error::Error;
use crate::toolchain::Toolchain;
use crate::workspace::{CHOICE_VARIABLE, TARGET, workspace_root};

/// A guest as the compiler left it.
#[derive(Debug)]
pub struct Module {
    /// The core module.
    pub path: PathBuf,
    /// The files of the workspace that the module was made from.
    pub sources: Vec<PathBuf>,
}

/// A guest to build.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// The guest's package.
    pub package: &'a str,
    /// Features of the package to switch on.
    pub features: &'a [&'a str],
    /// The form that the guest is packed in.
    pub form: Form,
}

/// The form that a guest is packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component, for hosts with the component model.
    Component,
    /// The core module itself, for hosts with an ABI of their own.
    Module,
}

/// Builds a guest and lets the crate read its path with `env!(variable)`: all that a `main` of a build script has to do. The
/// file is touched only if it changed.
pub fn export(guest: Guest<'_>, variable: &str) -> ExitCode {
    match build(guest) {
        Ok(path) => {
            println!("cargo:rustc-env={variable}={}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nerror: {}: {error}\n", guest.package);
            ExitCode::FAILURE
        }
    }
}

/// Builds a guest in a target directory of its own, since the caller's cargo holds the lock of the one it uses. Several
/// build scripts may do so at once: the inner cargos wait for each other.
pub fn compile(toolchain: &Toolchain, guest: Guest<'_>, target_directory: &Path) -> Result<Module, Error> {
    let Guest { package, features, .. } = guest;
    let root = workspace_root();
    let output = toolchain
        .cargo("build")
        .args(["--profile", PROFILE, "--locked", "--quiet", "--color=never", "--package", package])
        .args(["--features", &features.join(",")])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_directory)
        // Set in a user's configuration, it would lead back to the lock that is held.
        .env("CARGO_BUILD_BUILD_DIR", target_directory)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain, &root).join("\x1f"))
        .stdin(Stdio::null())
        .output()
        .map_err(failed_to("start cargo for the guest"))?;
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let what = format!("building it with {}", toolchain.describe());
        return Err(Error::Failed { what, status: output.status, output: shorten(&says) });
    }
    // Warnings, for `cargo build -vv`.
    eprint!("{says}");

    let path =
        target_directory.join(TARGET).join(PROFILE).join(format!("{}.wasm", package.replace('-', "_")));
    let list = path.with_extension("d");
    let list = fs::read_to_string(&list).map_err(failed_to(format!("read {}", list.display())))?;
    // With std built from source, its files are on the list too.
    let sources =
        dependencies(&list).into_iter().map(|file| root.join(file)).filter(|file| file.starts_with(&root));
    Ok(Module { path, sources: sources.collect() })
}

/// Makes a component of a core module that `wit_bindgen` wrote the exports of.
pub fn componentize(module: &Path) -> Result<Vec<u8>, Error> {
    let bytes = read_bytes(module)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| Error::Encode { module: module.to_path_buf(), reason: format!("{error:#}") })
}

/// Builds a guest for the build script that calls it, and says where it is. Cargo is told what it was made from.
pub fn build(guest: Guest<'_>) -> Result<PathBuf, Error> {
    println!("cargo:rerun-if-env-changed={CHOICE_VARIABLE}");
    let out =
        env::var_os("OUT_DIR").map(PathBuf::from).ok_or(Error::NotABuildScript { variable: "OUT_DIR" })?;
    let toolchain = Toolchain::find()?;
    let module = compile(&toolchain, guest, &target_directory(&out))?;
    for input in inputs(&module.sources) {
        println!("cargo:rerun-if-changed={}", input.display());
    }
    let (bytes, extension) = match guest.form {
        Form::Component => (componentize(&module.path)?, "component.wasm"),
        Form::Module => (read_bytes(&module.path)?, "wasm"),
    };
    let name = [&[guest.package], guest.features].concat().join("-");
    let path = out.join(format!("{name}.{extension}"));
    write_if_changed(&path, &bytes)?;
    Ok(path)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(failed_to(format!("read {}", path.display())))
}

/// Everything that may change a guest: its sources, its manifests, `wit/` and the workspace's own files.
fn inputs(sources: &[PathBuf]) -> Vec<PathBuf> {
    let root = workspace_root();
    let manifests = sources.iter().filter_map(|source| {
        source
            .ancestors()
            .skip(1)
            .map(|directory| directory.join("Cargo.toml"))
            .find(|manifest| manifest.is_file())
    });
    let workspace = ["Cargo.toml", "Cargo.lock", "wit"].map(|name| root.join(name));
    let mut inputs: Vec<PathBuf> = sources.iter().cloned().chain(manifests).chain(workspace).collect();
    // A file that is not there counts as changed, always.
    inputs.retain(|input| input.exists());
    inputs.sort();
    inputs.dedup();
    inputs
}

/// Compiler flags. Paths of the machine are taken out, so that a guest is the same wherever it was built.
fn flags(toolchain: &Toolchain, root: &Path) -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut flags = vec![format!("-Ctarget-feature={TARGET_FEATURES}")];
    // The last one that matches wins.
    let remapped = home.into_iter().map(|home| (home, "/cargo"));
    let remapped = remapped.chain(toolchain.std_sources().into_iter().map(|std| (std, "/rust")));
    let remapped = remapped.chain([(root.to_path_buf(), "/podstamp")]);
    flags.extend(remapped.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())));
    flags
}

/// Beside the profiles of the build that this build script belongs to.
fn target_directory(out: &Path) -> PathBuf {
    let is_target =
        |directory: &&Path| directory.join("CACHEDIR.TAG").is_file() || directory.ends_with("target");
    out.ancestors().find(is_target).unwrap_or(out).join("guests")
}

/// The files on the right-hand side of a make rule, as cargo writes it.
fn dependencies(rule: &str) -> Vec<PathBuf> {
    let Some((_, files)) = rule.lines().next().unwrap_or_default().split_once(".wasm:") else {
        return Vec::new();
    };
    let mut dependencies = vec![String::new()];
    let mut characters = files.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, dependencies.last_mut()) {
            ('\\', Some(file)) if characters.next_if_eq(&' ').is_some() => file.push(' '),
            (' ', _) => dependencies.push(String::new()),
            (other, Some(file)) => file.push(other),
            (_, None) => {}
        }
    }
    dependencies.into_iter().filter(|file| !file.is_empty()).map(PathBuf::from).collect()
}

/// The beginning of a long message: what comes after the first errors mostly follows from them.
fn shorten(text: &str) -> String {
    let left_out = text.lines().count().saturating_sub(MAX_LINES);
    let mut shown = text.lines().take(MAX_LINES).collect::<Vec<_>>().join("\n");
    if left_out > 0 {
        shown += &format!("\n... and {left_out} more lines");
    }
    shown
}

/// Leaves the time of an unchanged file alone: what includes it is then not compiled again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(failed_to(format!("write {}", path.display())))
}

fn failed_to(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let doing = format!("cannot {}", doing.into());
    |source| Error::Io { doing, source }
}

/// The profile in the workspace's manifest.
const PROFILE: &str = "guest";
/// A few screens.
const MAX_LINES: usize = 200;
/// Features of wasm that a guest may use besides the target's defaults. Every runtime that podstamp meets has had SIMD since 2021.
const TARGET_FEATURES: &str = "+simd128";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_files_of_a_rule() {
        let rule = "/t/podstamp_component.wasm: /w/a.rs /with\\ space/b.rs /w/wit/x.wit\n";
        let files = ["/w/a.rs", "/with space/b.rs", "/w/wit/x.wit"].map(PathBuf::from);
        assert_eq!(dependencies(rule), files);
        assert_eq!(dependencies("/t/podstamp_component.wasm:\n"), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(shorten("one\ntwo\n"), "one\ntwo");
        assert!(shorten(&"line\n".repeat(MAX_LINES + 3)).ends_with("line\n... and 3 more lines"));
    }

    #[test]
    fn an_unchanged_component_keeps_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        write_if_changed(&path, b"one").unwrap();
        let time = || fs::metadata(&path).unwrap().modified().unwrap();
        let before = time();
        write_if_changed(&path, b"one").unwrap();
        assert_eq!(time(), before);
        write_if_changed(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn the_target_directory_is_found_by_its_tag_or_its_name() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("CACHEDIR.TAG"), "").unwrap();
        let out = directory.path().join("debug/build/podstamp-0123/out");
        assert_eq!(target_directory(&out), directory.path().join("guests"));
        assert_eq!(target_directory(Path::new("/w/target/debug/build/x/out")), Path::new("/w/target/guests"));
    }

    #[test]
    fn inputs_hold_manifests_and_wit() {
        let root = workspace_root();
        let inputs = inputs(&[root.join("guest/core/src/lib.rs")]);
        for expected in ["guest/core/src/lib.rs", "guest/core/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"]
        {
            assert!(inputs.contains(&root.join(expected)), "{expected}");
        }
    }
}
