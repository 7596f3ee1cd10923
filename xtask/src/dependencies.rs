//! Holds the dependencies against `deny.toml`, as far as that takes no cargo-deny.

use crate::workspace::list;

/// The packages that cargo lists as dependencies on this system, a line for each.
fn tree(arguments: &[&str]) -> Vec<String> {
    let output =
        crate::cargo().args(["tree", "--locked", "--prefix", "none"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree {}: {said}", arguments.join(" "));
    // A package that came up before has a mark.
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// Whether `allowed` is enough for an SPDX expression: all of what AND joins, and one of what OR joins. AND binds tighter.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    if let Some((before, rest)) = expression.split_once('(')
        && let Some((within, after)) = rest.split_once(')')
    {
        let known = allowed.first().map_or("", String::as_str);
        let within = if is_met(within, allowed) { known } else { "none" };
        return is_met(&format!("{before}{within}{after}"), allowed);
    }
    // Older packages write a slash.
    let alternatives = expression.split('/').flat_map(|part| part.split(" OR "));
    let is_allowed = |name: &str| allowed.iter().any(|known| known == name.trim());
    alternatives.into_iter().any(|alternative| alternative.split(" AND ").all(is_allowed))
}

#[test]
fn licences_are_alternatives_and_conjunctions() {
    let allowed = ["MIT", "ISC"].map(str::to_owned);
    for met in ["MIT", "Apache-2.0 OR MIT", "Apache-2.0/MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in ["", "Apache-2.0", "MIT AND GPL-3.0", "(GPL-3.0 OR MIT) AND GPL-3.0", "(GPL-3.0) AND MIT"] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn deny_toml_allows_the_licences_that_there_are_and_no_others() {
    let path = podstamp_guest_build::workspace_root().join("deny.toml");
    let allowed = list(&std::fs::read_to_string(path).unwrap(), "allow");
    let packages = tree(&["--workspace", "--edges", "normal,build,dev", "--format", "{p}\t{l}"]);
    let licences: std::collections::BTreeSet<_> =
        packages.iter().filter_map(|line| line.split_once('\t')).map(|(_, licence)| licence).collect();
    for licence in &licences {
        let packages = packages.iter().find(|line| line.ends_with(&format!("\t{licence}")));
        assert!(is_met(licence, &allowed), "{packages:?} needs another licence than {allowed:?}");
    }
    for name in &allowed {
        let without: Vec<_> = allowed.iter().filter(|other| *other != name).cloned().collect();
        assert!(licences.iter().any(|licence| !is_met(licence, &without)), "nothing needs {name}");
    }
}

#[test]
fn who_embeds_the_library_gets_neither_the_binarys_nor_the_stand_ins_dependencies() {
    let packages = tree(&["--package", "podstamp", "--format", "{p}"]);
    assert!(packages.iter().any(|package| package.starts_with("hyper v1.")), "{packages:?}");
    for unwanted in ["clap v", "hyper v0.", "h2 v0.3.", "prost v0.12.", "mimalloc v", "libmimalloc-sys v"] {
        let found = packages.iter().find(|package| package.starts_with(unwanted));
        assert_eq!(found, None, "`cargo tree --package podstamp --invert` tells by what it comes");
    }
}

#[test]
fn the_program_carries_no_compiler_of_webassembly_unless_it_is_asked_for() {
    let of = |features: &[&str]| {
        tree(&[&["--package", "podstamp-cli", "--edges", "normal", "--format", "{p}"], features].concat())
    };
    let compiles =
        |packages: Vec<String>| packages.iter().any(|package| package.starts_with("cranelift-codegen v"));
    assert!(
        !compiles(of(&[])),
        "`cargo tree --package podstamp-cli --edges normal --invert cranelift-codegen` tells by what it comes"
    );
    assert!(compiles(of(&["--features", "compiler"])));
}
