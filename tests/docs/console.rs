//! The console's built page is built from the sources that are there. No Node is needed to see that: `console.js` begins with a hash
//! over them. Whether they give the same bytes, the end-to-end tests try where Node is there.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::root;

#[test]
fn the_built_page_belongs_to_its_sources() {
    let folder = root().join("host/console");
    let built = fs::read_to_string(folder.join("dist/console.js")).unwrap();
    let first = built.lines().next().unwrap();
    assert!(
        first.contains(&hash(&folder)),
        "host/console/dist is not built from the sources that are there: run `cargo xtask console`\n{first}"
    );
}

#[test]
fn the_built_page_loads_nothing_from_elsewhere_and_fits_its_policy() {
    let dist = root().join("host/console/dist");
    let page = fs::read_to_string(dist.join("index.html")).unwrap();
    assert!(!page.contains("://") && !page.contains("style=") && !page.contains("<style"), "{page}");
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script defer src=\"console.js\"></script>").count()
    );
    let style = fs::read_to_string(dist.join("console.css")).unwrap();
    assert!(!style.contains("url(") && !style.contains("@import"));
    let script = fs::read_to_string(dist.join("console.js")).unwrap();
    for forbidden in ["eval(", "new Function", "innerHTML=", "document.write", "import("] {
        // Preact itself assigns it once, for a property that the page does not use.
        let allowed = usize::from(forbidden == "innerHTML=");
        assert!(script.matches(forbidden).count() <= allowed, "{forbidden} is in console.js");
    }
}

/// As `host/console/build.mjs` computes it: path, length and bytes of each file, sorted by path.
fn hash(folder: &Path) -> String {
    let mut paths: Vec<PathBuf> = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"]
        .map(|name| folder.join(name))
        .into();
    add_files(&folder.join("src"), &mut paths);
    let mut files: Vec<_> = paths
        .iter()
        .map(|path| {
            let parts = path.strip_prefix(folder).unwrap().components();
            let parts: Vec<_> = parts.map(|part| part.as_os_str().to_str().unwrap()).collect();
            (parts.join("/"), fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for (path, bytes) in files {
        hash.update(format!("{path}\n{}\n", bytes.len()));
        hash.update(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn add_files(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_files(&path, paths);
        } else {
            paths.push(path);
        }
    }
}
