//! What compiled code of a guest depends on: the build script compiles by it, and an engine takes only code that was compiled by the
//! same.

use wasmtime::Config;

/// The settings of an engine that decide what code is made of a component.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Off, a synchronous call costs a quarter: the guest has nothing to wait for.
        .concurrency_support(false)
        .epoch_interruption(true)
        // Where in the component a trap was is asked by nobody, and would be a third of the code.
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}
