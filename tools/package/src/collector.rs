//! The OpenTelemetry Collector with podstamp in it: `collector/`, and the filter as the module that its processor carries.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use podstamp_guest_build::workspace_root;

use crate::archive::File;
use crate::checksums::paths;

/// The files of `collector/`, with the filter's module where the processor embeds it. What the Collector's builder takes is
/// there, and what `go build` takes.
pub fn files(wasm: &[u8]) -> Result<Vec<File>> {
    let folder = workspace_root().join("collector");
    let within = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for path in paths(&folder).with_context(within)? {
        // What people have built there is not packed.
        if path != WASM && path != PROGRAM {
            let bytes = fs::read(folder.join(&path)).with_context(within)?;
            files.push(File::readable(&path, bytes));
        }
    }
    files.push(File::readable(WASM, wasm));
    Ok(files)
}

/// Writes these files into a folder.
pub fn write(files: &[File], folder: &Path) -> Result<()> {
    for file in files {
        let path = folder.join(&file.path);
        let written =
            fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| fs::write(&path, &file.bytes));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Where the processor embeds the filter's module, from `collector/`.
pub const WASM: &str = "podstampprocessor/podstamp.wasm";

/// The Collector that [`BUILD`] leaves.
pub const PROGRAM: &str = "otelcol-podstamp/otelcol-podstamp";

/// Builds the Collector, in a folder that has the files. Debug information would double what is compiled, and nothing of it
/// would be left.
pub const BUILD: &[&str] = &[
    "go",
    "build",
    "-C",
    "otelcol-podstamp",
    "-trimpath",
    "-gcflags=all=-dwarf=false",
    "-ldflags=-s -w",
    "-o",
    "otelcol-podstamp",
    ".",
];

/// For [`BUILD`]: the versions are those of go.sum, and no C compiler is needed.
pub const ENVIRONMENT: &[(&str, &str)] =
    &[("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=readonly -buildvcs=false"), ("GOTOOLCHAIN", "local")];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(files: &[File], path: &str) -> String {
        let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
        String::from_utf8(file.bytes.clone()).unwrap()
    }

    #[test]
    fn the_processor_carries_the_module_that_is_packed() {
        let files = files(b"module").unwrap();
        assert_eq!(files.iter().filter(|file| file.path.ends_with(".wasm")).count(), 1);
        assert_eq!(text(&files, WASM), "module");
        assert!(!files.iter().any(|file| file.path == PROGRAM));
        let folder = tempfile::tempdir().unwrap();
        write(&files, folder.path()).unwrap();
        assert_eq!(paths(folder.path()).unwrap().len(), files.len());
        assert_eq!(fs::read(folder.path().join(WASM)).unwrap(), b"module");
    }

    /// After a change of the builder's configuration the Collector has to be generated anew.
    #[test]
    fn the_collector_has_what_the_builders_configuration_names() {
        let files = files(b"").unwrap();
        let (config, module) = (text(&files, "builder-config.yaml"), text(&files, "otelcol-podstamp/go.mod"));
        let (components, main) =
            (text(&files, "otelcol-podstamp/components.go"), text(&files, "otelcol-podstamp/main.go"));
        let named: Vec<_> = config.lines().filter_map(|line| line.trim().strip_prefix("- gomod: ")).collect();
        assert!(named.len() >= 15, "{named:?}");
        for named in &named {
            let (path, _) = named.split_once(' ').unwrap();
            assert!(module.contains(&format!("\t{named}\n")), "go.mod: {named}");
            // Imported, and told by `otelcol-podstamp components` with its version.
            let source = if path.contains("confmap") { &main } else { &components };
            assert!(source.contains(&format!(" \"{path}\"\n")), "{path}");
            assert!(source.contains(&format!("\"{named}\",")), "{named}");
        }
        let modules = |text: &str| text.matches(".NewFactory(),\n").count();
        // The Collector's own telemetry is no component that one chooses.
        assert_eq!(modules(&components) + modules(&main) - 1, named.len());
        let (_, replaced) = config.split_once("\nreplaces:\n  - ").unwrap();
        assert!(module.contains(&format!("replace {}\n", replaced.trim_end())), "{replaced}");
    }
}
