//! The members of the workspace, by its manifest.

/// Packages that plain `cargo test` leaves alone, by directory, and why.
pub(crate) fn skipped(manifest: &str) -> Vec<(String, &'static str)> {
    let default = list(manifest, "default-members");
    let members = list(manifest, "members").into_iter().filter(|member| !default.contains(member));
    let members =
        members.map(|member| (member, "it is built for wasm, by a build script, and tested in its host"));
    let apart = list(manifest, "exclude").into_iter();
    members.chain(apart.map(|member| (member, "a workspace of its own"))).collect()
}

/// The strings of a list in a TOML document: `key = ["a", "b"]` at the start of a line, with no `]` in a string.
pub(crate) fn list(manifest: &str, key: &str) -> Vec<String> {
    let value =
        format!("\n{manifest}").split_once(&format!("\n{key} = [")).map(|(_, after)| after.to_string());
    let value = value.as_deref().and_then(|value| value.split(']').next()).unwrap_or_default();
    value.split('"').skip(1).step_by(2).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_what_is_not_built_for_the_host() {
        let manifest = "[workspace]\nmembers = [\n    \"a\",\n    \"b/c\",\n]\n\ndefault-members = [\"a\"]\nexclude = [\"d\"]\n";
        let names: Vec<_> = skipped(manifest).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b/c", "d"]);
    }
}
