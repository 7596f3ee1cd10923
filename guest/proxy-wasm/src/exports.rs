//! The functions that the host calls. The names and shapes are the ABI's.

#![expect(unsafe_code, reason = "the names of what the host calls must stay as they are")]

use std::alloc::{Layout, alloc};

use crate::abi::Action;
use crate::contexts;

/// Says which version of the ABI this is.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_abi_version_0_2_1() {}

/// Allocates room for bytes that the host hands over. Null: there is none, which the host reports as its own failure.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the size is not 0.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => std::ptr::null_mut(),
    }
}

/// [`proxy_on_memory_allocate`] under the name of older hosts. Only wasm has it: elsewhere `malloc` is the C library's.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(size: usize) -> *mut u8 {
    proxy_on_memory_allocate(size)
}

/// A root context is made, or a stream of one.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    contexts::create(context, root);
}

/// The VM begins. Only roots have anything to configure.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    1
}

/// A root gets its configuration. Returns 0 where that has faults.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    contexts::configure(root, size).into()
}

/// Time has passed.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_tick(root: u32) {
    contexts::tick(root);
}

/// A call that a root made has ended.
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

/// `size` bytes of the request's body are there, those that were held included.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.request_body(size, end != 0))
}

/// The request's body has ended, with trailers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_trailers(context: u32, _trailers: usize) -> Action {
    contexts::with_stream(context, |stream| stream.request_trailers())
}

/// A response begins, the upstream's or one of the host's own.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_headers(context: u32, _headers: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.response_headers(end != 0))
}

/// `size` bytes of the response's body are there, those that were held included.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> Action {
    contexts::with_stream(context, |stream| stream.response_body(size, end != 0))
}

/// The response's body has ended, with trailers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_trailers(context: u32, _trailers: usize) -> Action {
    contexts::with_stream(context, |stream| stream.response_trailers())
}

/// A context is gone.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_delete(context: u32) {
    contexts::delete(context);
}
