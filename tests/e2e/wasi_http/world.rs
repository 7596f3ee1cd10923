//! What the component asks of its host.

use podstamp_test_guests::WASI_HTTP;
use wasmtime::Engine;
use wasmtime::component::Component;

#[test]
fn the_component_imports_what_its_world_has_and_the_environment_alone() {
    let engine = Engine::default();
    let component = Component::from_file(&engine, WASI_HTTP).unwrap();
    let names = |items: Vec<String>| {
        let without_version = |name: &String| name.split('@').next().unwrap().to_owned();
        let mut names: Vec<_> = items.iter().map(without_version).collect();
        names.sort();
        names
    };
    let kind = component.component_type();
    let imports = names(kind.imports(&engine).map(|(name, _)| name.to_owned()).collect());
    assert_eq!(
        imports,
        [
            "wasi:cli/environment",
            "wasi:cli/stderr",
            "wasi:clocks/monotonic-clock",
            "wasi:clocks/wall-clock",
            "wasi:http/outgoing-handler",
            "wasi:http/types",
            "wasi:io/error",
            "wasi:io/poll",
            "wasi:io/streams",
            "wasi:random/random",
        ]
    );
    let exports = names(kind.exports(&engine).map(|(name, _)| name.to_owned()).collect());
    assert_eq!(exports, ["wasi:http/incoming-handler"]);
}
