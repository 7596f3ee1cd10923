use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;

use flate2::read::GzDecoder;

use super::*;

/// This test's own program stands for `podstamp`.
fn root() -> Root {
    Root::new(&program()).unwrap()
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The paths of libraries that the loader itself would take, without its cache.
fn loaded() -> Vec<String> {
    let needs = elf::read_needs(&fs::read(program()).unwrap()).unwrap();
    let loader = needs.loader.unwrap();
    let output = Command::new(&loader).args(["--inhibit-cache", "--list"]).arg(program()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut paths: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(" => ")?.1.split(' ').next())
        .filter(|path| path.starts_with('/') && *path != loader)
        .map(|path| path.trim_start_matches('/').to_owned())
        .collect();
    paths.push(loader.trim_start_matches('/').to_owned());
    paths.sort();
    paths
}

#[test]
fn the_libraries_are_those_that_the_loader_takes() {
    let root = root();
    let paths = root.files.iter().map(|file| file.path.clone());
    let libraries: Vec<_> = paths.filter(|path| path.starts_with("lib") || path.starts_with("usr")).collect();
    assert!(libraries.iter().any(|path| path.ends_with("/libc.so.6")), "{libraries:?}");
    assert_eq!(libraries, loaded());
}

#[test]
fn nothing_else_is_there_but_what_they_read() {
    let root = root();
    let own: Vec<_> = root
        .files
        .iter()
        .filter(|file| !file.path.starts_with("lib") && !file.path.starts_with("usr"))
        .map(|file| (&*file.path, file.mode))
        .collect();
    let expected = [
        ("etc/group", 0o644),
        ("etc/nsswitch.conf", 0o644),
        ("etc/passwd", 0o644),
        ("etc/ssl/certs/ca-certificates.crt", 0o644),
        ("podstamp", 0o755),
    ];
    assert_eq!(own, expected);
}

#[test]
fn the_same_program_gives_the_same_image_and_its_layer_says_nothing_of_when_it_was_packed() {
    let images = [root(), root()].map(|root| root.image(Compression::fast()).unwrap());
    assert_eq!(images[0].archive().unwrap(), images[1].archive().unwrap());
    let mut unpacked = Vec::new();
    GzDecoder::new(images[0].layer()).read_to_end(&mut unpacked).unwrap();
    let mut archive = tar::Archive::new(&*unpacked);
    let mut paths = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        assert_eq!(owner, (0, 0, 0));
        let is_folder = header.entry_type().is_dir();
        assert!(!is_folder || header.mode().unwrap() == 0o755);
        paths.push((!is_folder, entry.path().unwrap().to_str().unwrap().to_owned()));
    }
    assert!(paths.contains(&(false, "etc/ssl/certs/".to_owned())), "{paths:?}");
    assert!(paths.is_sorted(), "{paths:?}");
}

#[test]
fn a_container_runs_it_without_rights() {
    let image = root().image(Compression::fast()).unwrap();
    let config: Value = serde_json::from_slice(image.config()).unwrap();
    let machine = elf::read_needs(&fs::read(program()).unwrap()).unwrap().machine;
    assert_eq!(config["architecture"], machine.architecture());
    assert_eq!((&config["os"], &config["config"]["User"]), (&json!("linux"), &json!("65532:65532")));
    assert_eq!(config["config"]["Entrypoint"], json!(["/podstamp"]));
    assert_eq!(config["config"]["Cmd"], json!(["serve"]));
    assert!(PASSWD.contains(":65532:65532:") && GROUP.contains(":65532:"));
}

#[test]
fn docker_and_containerd_find_the_image_by_its_name() {
    let image = root().image(Compression::fast()).unwrap();
    let archive = image.archive().unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(&*archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, bytes);
    }
    let json = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
    let reference = image.reference().unwrap();
    assert_eq!(reference, format!("podstamp:{}", env!("CARGO_PKG_VERSION")));
    let docker = &json("manifest.json")[0];
    assert_eq!(docker["RepoTags"], json!([reference]));
    assert_eq!(files[docker["Config"].as_str().unwrap()], image.config());
    assert_eq!(files[docker["Layers"][0].as_str().unwrap()], image.layer());
    let entry = &json("index.json")["manifests"][0];
    assert_eq!(entry["annotations"]["io.containerd.image.name"], format!("docker.io/library/{reference}"));
    assert_eq!(entry["digest"], image.digest());
    let manifest = json(&format!("blobs/sha256/{}", image.digest().strip_prefix("sha256:").unwrap()));
    assert_eq!(manifest["config"]["digest"], crate::blob::digest(image.config()));
}

#[test]
fn all_authorities_are_there_as_pem() {
    let pem = certificates::pem();
    let count = pem.matches("-----BEGIN CERTIFICATE-----\n").count();
    assert_eq!(count, webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
    assert!(count > 100, "{count}");
    assert!(pem.lines().all(|line| line.len() <= 64));
}

#[test]
fn what_is_too_large_or_no_program_is_refused() {
    let mut root = root();
    root.files.push(File::readable("huge", vec![0; MAX_SIZE]));
    let error = root.check_size().unwrap_err().to_string();
    assert!(error.contains("may have 40000000") && error.contains("/huge 40000000"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("podstamp");
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        format!("{:#}", Root::new(&file).err().unwrap())
    };
    assert!(refused(b"#!/bin/sh\n").contains("not a program for Linux"));
    let mut other = fs::read(program()).unwrap();
    // e_machine: RISC-V.
    other[18] = 243;
    assert!(refused(&other).contains("ELF number 243"));
    for length in [0, 1, 63, 64, 200, 4_000] {
        let cut = &fs::read(program()).unwrap()[..length];
        assert!(elf::read_needs(cut).is_err(), "{length} bytes");
    }
}
