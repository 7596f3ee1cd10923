//! What the host calls. The names and shapes are the ABI's.

#![expect(unsafe_code, reason = "the names of what the host calls must stay as they are")]

use std::alloc::{Layout, alloc};

use crate::abi::Action;
use crate::contexts;

/// Says which version of the ABI this is.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_abi_version_0_2_1() {}

/// Room for bytes that the host hands over; null where there is none, which the host then reports as its own failure.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the size is not 0.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => std::ptr::null_mut(),
    }
}

/// The same, by the name that hosts knew before the ABI had one. Only wasm has it: elsewhere it is the C library's.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(size: usize) -> *mut u8 {
    proxy_on_memory_allocate(size)
}

/// A root context, or a stream of one.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    contexts::create(context, root);
}

/// The VM begins. All that there is to configure belongs to roots.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    1
}

/// A root gets its configuration; 0 where that is bad.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    contexts::configure(root, size).into()
}

/// Time has passed.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_tick(root: u32) {
    contexts::tick(root);
}

/// A request of our own has ended.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_http_call_response(
    root: u32,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    contexts::call_response(root, token, headers > 0, body_size);
}

/// A request begins.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_headers(context: u32, _headers: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.request_headers(end != 0))
}

/// There are `size` bytes of its body, those that were held included.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.request_body(size, end != 0))
}

/// Its body has ended.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_trailers(context: u32, _trailers: usize) -> Action {
    contexts::with_stream(context, |stream| stream.request_trailers())
}

/// A response begins, the upstream's or one of the host's own.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_headers(context: u32, _headers: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.response_headers(end != 0))
}

/// There are `size` bytes of its body, those that were held included.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.response_body(size, end != 0))
}

/// Its body has ended.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_trailers(context: u32, _trailers: usize) -> Action {
    contexts::with_stream(context, |stream| stream.response_trailers())
}

/// A context is gone.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_delete(context: u32) {
    contexts::delete(context);
}
