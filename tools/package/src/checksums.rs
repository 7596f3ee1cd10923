//! Checksums of a folder's files, as `sha256sum` reads them.

use std::fs;
use std::io;
use std::path::Path;

use crate::blob::hex;

/// The name of the file with the checksums.
pub const NAME: &str = "SHA256SUMS";

/// Lines for `sha256sum --check`, in the order of the paths: one for each file of the folder and of its folders, but for the
/// checksums themselves and for the folders named in `without`, which are directly in the folder.
pub fn list(folder: &Path, without: &[&str]) -> io::Result<String> {
    let mut lines = Vec::new();
    for path in paths(folder)? {
        let is_left_out = path == NAME || without.iter().any(|name| path.split('/').next() == Some(*name));
        if !is_left_out {
            lines.push(format!("{}  {path}\n", hex(&fs::read(folder.join(&path))?)));
        }
    }
    Ok(lines.concat())
}

/// The files of a folder and of its folders: their paths from there, with slashes, in order.
pub(crate) fn paths(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            found.extend(paths(&entry.path())?.into_iter().map(|path| format!("{name}/{path}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_line_in_the_order_of_the_paths() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in
            [("z", ""), ("a/b/c", "abc"), ("a.wasm", "abc"), (NAME, "of before"), ("rootfs/a/x", "x")]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        // As `sha256sum` prints them.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = format!("{abc}  a.wasm\n{abc}  a/b/c\n{nothing}  z\n");
        assert_eq!(list(folder.path(), &["rootfs"]).unwrap(), expected);
    }
}
