//! What wasmtime generates from `wit/`.

#![allow(missing_docs, reason = "generated; the WIT files hold the documentation")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "podstamp",
    imports: { default: trappable },
    // A request's body is handed over without a copy of it on this side.
    ownership: Borrowing { duplicate_if_necessary: true },
});
