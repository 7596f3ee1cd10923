//! A proxy-wasm module that replaces the body of each request by itself, and does nothing else.
//!
//! Its cost is that of the ABI for any module that may change bodies: the benchmark holds podstamp against it.

#![expect(unsafe_code, reason = "the ABI's names and addresses")]

use std::alloc::{Layout, alloc};
use std::ptr::null_mut;

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;
const REQUEST_BODY: u32 = 0;
const REQUEST_HEADERS: u32 = 0;

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *mut *mut u8,
        length: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(buffer: u32, start: usize, size: usize, data: *const u8, length: usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, length: usize) -> u32;
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the size is not 0.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _headers: usize, _end: u32) -> u32 {
    let name = "content-length";
    // SAFETY: the name lives until the call returns.
    unsafe { proxy_remove_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len()) };
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, size: usize, end: u32) -> u32 {
    if end == 0 {
        return PAUSE;
    }
    let (mut data, mut length) = (null_mut(), 0);
    // SAFETY: the host puts the bytes into room of that size, which `malloc` gave it and which is freed here.
    unsafe {
        if proxy_get_buffer_bytes(REQUEST_BODY, 0, size, &raw mut data, &raw mut length) == 0
            && !data.is_null()
        {
            let body = Vec::from_raw_parts(data, length, length);
            proxy_set_buffer_bytes(REQUEST_BODY, 0, size, body.as_ptr(), body.len());
        }
    }
    CONTINUE
}
