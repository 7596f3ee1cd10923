//! `cargo xtask package`: all that podstamp is run from, in `target/package`, with a file of checksums. With names of parts
//! as arguments, these alone. Without names, the Collector is left out where there is no Go:
//!
//! - `module`: the proxy-wasm module, its checksum and its image
//! - `podstamp`: the image of `podstamp`, and the root folder that it is made of
//! - `guests`: the filter as modules and components for other hosts
//! - `collector`: the Collector's processor as a Go module, and Collectors for Linux that have it

mod build;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use podstamp_guest_build::artifact::{Form, Guest};
use podstamp_guest_build::workspace_root;
use podstamp_package::program::{Compression, Root};
use podstamp_package::{checksums, collector, module, sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
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

/// Packs what the arguments name, and returns the text that tells of it.
fn run(arguments: &[String]) -> Result<String> {
    if let Some(unknown) = arguments.iter().find(|argument| !PARTS.contains(&argument.as_str())) {
        bail!("there is no {unknown} to package: {} are there, and all by default", PARTS.join(", "));
    }
    let has = |name| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let folder = workspace_root().join("target/package");
    let mut told = String::new();
    if has(MODULE) {
        told += &package_module(&build::guest(PROXY_WASM)?, &folder)?;
    }
    if has(GUESTS) {
        for (guest, name) in OTHER_GUESTS {
            write(&folder, name, &build::guest(*guest)?)?;
            told += &format!("{}/{name}\n", folder.display());
        }
    }
    if has(PROGRAM) {
        told += &package_program(&build::program()?, &folder)?;
    }
    if arguments.is_empty() && !build::has_go() {
        told += "no Collector: there is no go on the PATH, which it takes\n";
    } else if has(COLLECTOR) {
        told += &package_collector(&build::guest(EMBEDDED)?, &folder, build::collector)?;
    }
    write(&folder, checksums::NAME, checksums::list(&folder, &[ROOT])?.as_bytes())?;
    Ok(told + &format!("{}/{}\n", folder.display(), checksums::NAME))
}

/// Writes the Collector's sources with this module, and the Collectors that `build` makes of them.
fn package_collector(
    module: &[u8],
    folder: &Path,
    build: impl Fn(&Path, &str) -> Result<PathBuf>,
) -> Result<String> {
    let sources = folder.join("collector");
    remove(&sources)?;
    collector::write(&collector::files(module)?, &sources)?;
    let mut told = format!("{} for the Collector's builder\n", sources.join("builder-config.yaml").display());
    for architecture in ["amd64", "arm64"] {
        let built = build(&sources, architecture)?;
        let path = folder.join(format!("otelcol-podstamp_linux_{architecture}"));
        fs::rename(&built, &path).with_context(|| format!("cannot make {}", path.display()))?;
        told += &format!("{}\n", path.display());
    }
    Ok(told)
}

/// Writes module and image into this folder.
fn package_module(module: &[u8], folder: &Path) -> Result<String> {
    let image = module::image(module)?;
    let checksum = format!("{}  {MODULE_FILE}\n", sha256(module));
    let archive = "podstamp.proxy-wasm.oci.tar";
    write(folder, MODULE_FILE, module)?;
    write(folder, &format!("{MODULE_FILE}.sha256"), checksum.as_bytes())?;
    write(folder, archive, &image.archive()?)?;
    let (digest, folder) = (image.digest(), folder.display());
    Ok(format!("{folder}/{MODULE_FILE}\n{folder}/{archive} with the image {digest}\n"))
}

/// Writes the image of this program into the folder, and beside it the files of the image, for the Dockerfile.
fn package_program(program: &Path, folder: &Path) -> Result<String> {
    let root = Root::new(program)?;
    root.check_size()?;
    let image = root.image(Compression::best())?;
    let archive = "podstamp.oci.tar";
    write(folder, archive, &image.archive()?)?;
    let files = folder.join(ROOT);
    remove(&files)?;
    root.write(&files)?;
    let (digest, folder) = (image.digest(), folder.display());
    let reference = image.reference().unwrap_or_default();
    let (whole, layer) = (megabytes(root.size()), megabytes(image.layer().len()));
    Ok(format!(
        "{folder}/{archive} with the image {reference} {digest}, {whole} MB, {layer} MB to fetch\n{} with its files\n",
        files.display()
    ))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

const MODULE: &str = "module";

const PROGRAM: &str = "podstamp";

const GUESTS: &str = "guests";

const COLLECTOR: &str = "collector";

const PARTS: [&str; 4] = [MODULE, PROGRAM, GUESTS, COLLECTOR];

const MODULE_FILE: &str = "podstamp.proxy-wasm.wasm";

/// The files of the image of `podstamp`.
const ROOT: &str = "podstamp.rootfs";

const fn guest(package: &'static str, form: Form) -> Guest<'static> {
    Guest { package, features: &[], form }
}

const PROXY_WASM: Guest<'_> = guest("podstamp-proxy-wasm", Form::Module);

/// What the Collector's processor carries.
const EMBEDDED: Guest<'_> = guest("podstamp-module", Form::Module);

/// The guests besides the proxy-wasm module, and their files.
const OTHER_GUESTS: &[(Guest<'_>, &str)] = &[
    (EMBEDDED, "podstamp.wasm"),
    (guest("podstamp-component", Form::Component), "podstamp.component.wasm"),
    (guest("podstamp-wasi-http", Form::Component), "podstamp.wasi-http.wasm"),
    (guest("podstamp-bento", Form::Module), "podstamp.bento.wasm"),
    (
        Guest { features: &["redpanda"], ..guest("podstamp-bento", Form::Module) },
        "podstamp.redpanda-connect.wasm",
    ),
    (guest("podstamp-otelwasm", Form::Module), "podstamp.otelwasm.wasm"),
    (
        Guest { features: &["pull"], ..guest("podstamp-otelwasm", Form::Module) },
        "podstamp.otelwasm-main.wasm",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    #[test]
    fn the_module_its_checksum_and_its_image_are_written_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let module = b"\0asm\x01\0\0\0";
        let written = |name: &str| {
            let folder = folder.path().join(name);
            let told = package_module(module, &folder).unwrap();
            (files(&folder), told)
        };
        let (files, told) = written("one");
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["podstamp.proxy-wasm.oci.tar", MODULE_FILE, "podstamp.proxy-wasm.wasm.sha256"]);
        assert_eq!(files[MODULE_FILE], module);
        // As `sha256sum` prints it, of the smallest module that there is.
        let checksum = "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476";
        let line = format!("{checksum}  podstamp.proxy-wasm.wasm\n");
        assert_eq!(String::from_utf8(files["podstamp.proxy-wasm.wasm.sha256"].clone()).unwrap(), line);
        assert!(told.contains(&module::image(module).unwrap().digest()), "{told}");
        assert_eq!(written("two").0, files);
    }

    /// This test's own program stands for `podstamp`.
    fn some_program() -> PathBuf {
        std::env::current_exe().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_programs_image_and_its_files_are_written_and_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let told = package_program(&some_program(), folder.path()).unwrap();
        let first = files(folder.path());
        assert_eq!(first.keys().collect::<Vec<_>>(), ["podstamp.oci.tar"]);
        assert!(told.contains("podstamp:") && told.contains("sha256:") && told.contains(" MB"), "{told}");
        let root = folder.path().join("podstamp.rootfs");
        assert_eq!(fs::read(root.join("podstamp")).unwrap(), fs::read(some_program()).unwrap());
        fs::write(root.join("left-over"), "of another time").unwrap();
        package_program(&some_program(), folder.path()).unwrap();
        assert!(!root.join("left-over").exists());
        assert_eq!(files(folder.path()), first, "the same program gives the same bytes");
    }

    #[test]
    fn what_cannot_be_packed_is_told() {
        let error = run(&["pod".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("no pod ") && error.contains("module, podstamp, guests, collector"),
            "{error}"
        );
    }
    #[test]
    fn collectors_are_built_of_the_files_that_are_packed_and_stand_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let build = |sources: &Path, architecture: &str| {
            let wasm = fs::read(sources.join(collector::WASM)).unwrap();
            let program = sources.join(collector::PROGRAM);
            fs::write(&program, [architecture.as_bytes(), &wasm].concat()).unwrap();
            Ok(program)
        };
        fs::create_dir(folder.path().join("collector")).unwrap();
        fs::write(folder.path().join("collector/left-over"), "of another time").unwrap();
        package_collector(b" module", folder.path(), build).unwrap();
        let programs: Vec<_> = files(folder.path()).into_iter().collect();
        let expected = ["amd64", "arm64"].map(|architecture| {
            (format!("otelcol-podstamp_linux_{architecture}"), format!("{architecture} module").into_bytes())
        });
        assert_eq!(programs, expected);
        let list = checksums::list(folder.path(), &[]).unwrap();
        assert!(list.contains(&format!("  collector/{}\n", collector::WASM)), "{list}");
        assert!(!list.contains("left-over") && !list.contains(collector::PROGRAM), "{list}");
    }
}
