//! The Dockerfile, held against the image that needs no Docker.

use std::fs;
use std::path::Path;

use podstamp_package::program::Root;
use serde_json::{Value, json};

use super::execution;

/// The instructions of the Dockerfile's last stage, each with its arguments. A line that ends with a backslash goes on.
fn last_stage() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Dockerfile");
    let text = fs::read_to_string(path).unwrap().replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let all: Vec<_> = lines
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            (name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect();
    let from = all.iter().rposition(|(name, _)| name == "FROM").unwrap();
    all[from..].to_vec()
}

fn only(stage: &[(String, String)], name: &str) -> String {
    let found: Vec<_> = stage.iter().filter(|(other, _)| other == name).map(|(_, rest)| rest).collect();
    let [one] = found[..] else { panic!("{name}: {found:?}") };
    one.clone()
}

#[test]
fn the_dockerfile_has_the_files_of_the_image_and_no_others() {
    let stage = last_stage();
    assert_eq!(only(&stage, "FROM"), "scratch");
    // All of what `cargo xtask package` laid out, to the root.
    assert_eq!(only(&stage, "COPY"), "--from=build /rootfs/ /");
    assert!(stage.iter().all(|(name, _)| !["ADD", "RUN", "VOLUME"].contains(&name.as_str())), "{stage:?}");

    let root = Root::new(env!("CARGO_BIN_EXE_podstamp-under-test").as_ref()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    root.write(folder.path()).unwrap();
    for file in root.files() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join(&file.path);
        assert_eq!(fs::read(&path).unwrap(), file.bytes, "{}", file.path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, file.mode, "{}", file.path);
    }
}

#[test]
fn the_dockerfile_runs_the_program_as_the_image_does() {
    let (stage, execution) = (last_stage(), execution());
    assert_eq!(only(&stage, "USER"), execution["User"]);
    assert_eq!(only(&stage, "WORKDIR"), execution["WorkingDir"]);
    assert_eq!(only(&stage, "STOPSIGNAL"), execution["StopSignal"]);
    assert_eq!(json!([only(&stage, "ENV")]), execution["Env"]);
    for (instruction, key) in [("ENTRYPOINT", "Entrypoint"), ("CMD", "Cmd")] {
        let value: Value = serde_json::from_str(&only(&stage, instruction)).unwrap();
        assert_eq!(value, execution[key], "{instruction}");
    }
    let ports: Vec<_> = only(&stage, "EXPOSE").split(' ').map(|port| format!("{port}/tcp")).collect();
    assert_eq!(ports, execution["ExposedPorts"].as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    let labels = only(&stage, "LABEL");
    let expected: Vec<_> = execution["Labels"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut found: Vec<_> = labels
        .split("org.")
        .filter(|label| !label.is_empty())
        .map(|label| format!("org.{}", label.trim()))
        .collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_dockerfile_names_its_compiler_to_the_patch() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Dockerfile")).unwrap();
    let from = text.lines().find_map(|line| line.strip_prefix("FROM ")).unwrap();
    let tag = from.split([':', ' ']).nth(1).unwrap();
    let version = tag.split('-').next().unwrap();
    assert_eq!(version.split('.').count(), 3, "{from}");
    let minimum = env!("CARGO_PKG_RUST_VERSION");
    let numbers =
        |version: &str| version.split('.').map(|number| number.parse().unwrap()).collect::<Vec<u32>>();
    assert!(numbers(version) >= numbers(minimum), "{version} is older than {minimum}");
}
