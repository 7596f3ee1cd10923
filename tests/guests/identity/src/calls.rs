//! Makes podstamp's calls. They change with podstamp's: `guest/proxy-wasm/src/head.rs` and the files of its folder `inline` make them.

use std::hint::black_box;

use crate::{CONTINUE, PAUSE, host};

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _headers: usize, _end: u32) -> u32 {
    black_box(host::headers());
    black_box(host::property("filter_state\0podstamp.peer"));
    host::remove_header("content-length");
    host::set_header(false, ":path", "/api/v1/otel/trace");
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, size: usize, end: u32) -> u32 {
    if end == 0 {
        return PAUSE;
    }
    let body = host::body(size);
    black_box(host::now());
    // The resource alone is replaced, at the front of the body.
    let edited = RESOURCE.min(body.len());
    host::set_body(edited, body.get(..edited).unwrap_or_default());
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_context: u32, _headers: usize, _end: u32) -> u32 {
    black_box(host::response_header(":status"));
    host::set_header(true, "content-type", "application/x-protobuf");
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_context: u32, _size: usize, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_context: u32) {}

/// Bytes of a resource, roughly.
const RESOURCE: usize = 900;
