//! The page is built anew, and comes out as it is committed.

use std::fs;
use std::path::Path;

use podstamp_test_support::runtime::built_page;

use super::driver::sources;

#[test]
fn the_page_is_built_to_the_same_bytes() {
    let folder = sources();
    let mut files: Vec<_> = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"]
        .map(|name| (name.to_owned(), fs::read(folder.join(name)).unwrap()))
        .into();
    add(&folder, "src", &mut files);
    let Some(built) = built_page(files) else { return };
    for name in ["index.html", "console.css", "console.js"] {
        let same = fs::read(built.join("dist").join(name)).unwrap()
            == fs::read(folder.join("dist").join(name)).unwrap();
        assert!(same, "host/console/dist/{name} is not what its sources give: run `cargo xtask console`");
    }
}

/// All files of a folder, by their paths with `/`, in order.
fn add(root: &Path, folder: &str, files: &mut Vec<(String, Vec<u8>)>) {
    let mut names: Vec<_> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            add(root, &path, files);
        } else {
            files.push((path.clone(), fs::read(root.join(&path)).unwrap()));
        }
    }
}
