//! The module's imports and exports: other hosts than Envoy go by just that.

use podstamp_test_guests::PROXY_WASM;
use wasmtime::{Engine, Module};

fn module() -> Module {
    Module::from_file(&Engine::default(), PROXY_WASM).unwrap()
}

#[test]
fn a_proxy_has_to_provide_no_more_than_these_functions() {
    let module = module();
    let mut asked: Vec<_> =
        module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect();
    asked.sort();
    let expected = [
        "define_metric",
        "get_buffer_bytes",
        "get_current_time_nanoseconds",
        "get_header_map_pairs",
        "get_header_map_value",
        "get_property",
        "http_call",
        "increment_metric",
        "log",
        "record_metric",
        "remove_header_map_value",
        "replace_header_map_value",
        "send_local_response",
        "set_buffer_bytes",
        "set_tick_period_milliseconds",
    ];
    let mut expected = expected.map(|name| format!("env.proxy_{name}")).to_vec();
    expected
        .extend(["environ_get", "environ_sizes_get"].map(|name| format!("wasi_snapshot_preview1.{name}")));
    assert_eq!(asked, expected);
}

#[test]
fn a_proxy_finds_the_allocator_by_its_old_name_and_by_the_abis() {
    let module = module();
    for name in ["memory", "malloc", "proxy_on_memory_allocate", "proxy_abi_version_0_2_1"] {
        assert!(module.exports().any(|export| export.name() == name), "{name}");
    }
}
