//! The host's functions.

use std::ptr::null_mut;

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
    #[cfg(feature = "calls")]
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        length: usize,
    ) -> u32;
    #[cfg(feature = "calls")]
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_length: usize,
        data: *mut *mut u8,
        length: *mut usize,
    ) -> u32;
    #[cfg(feature = "calls")]
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, length: *mut usize) -> u32;
    #[cfg(feature = "calls")]
    fn proxy_get_property(path: *const u8, size: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    #[cfg(feature = "calls")]
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
}

/// The request's body.
pub(crate) fn body(size: usize) -> Vec<u8> {
    // SAFETY: the host puts the bytes where `malloc` made room for them.
    given(|data, length| unsafe { proxy_get_buffer_bytes(BODY, 0, size, data, length) })
}

/// Puts `data` in place of the body's first `size` bytes.
pub(crate) fn set_body(size: usize, data: &[u8]) {
    // SAFETY: the bytes live until the call returns, as below.
    unsafe { proxy_set_buffer_bytes(BODY, 0, size, data.as_ptr(), data.len()) };
}

/// Takes a header of the request away.
pub(crate) fn remove_header(name: &str) {
    // SAFETY: as above.
    unsafe { proxy_remove_header_map_value(REQUEST, name.as_ptr(), name.len()) };
}

/// Sets a header of the request, or of the response.
#[cfg(feature = "calls")]
pub(crate) fn set_header(of_response: bool, name: &str, value: &str) {
    let map = if of_response { RESPONSE } else { REQUEST };
    // SAFETY: as above.
    unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// All headers of the request.
#[cfg(feature = "calls")]
pub(crate) fn headers() -> Vec<u8> {
    // SAFETY: as for the body.
    given(|data, length| unsafe { proxy_get_header_map_pairs(REQUEST, data, length) })
}

/// A header of the response.
#[cfg(feature = "calls")]
pub(crate) fn response_header(name: &str) -> Vec<u8> {
    // SAFETY: as for the body.
    given(|data, length| unsafe {
        proxy_get_header_map_value(RESPONSE, name.as_ptr(), name.len(), data, length)
    })
}

/// A property, its path joined by zeros.
#[cfg(feature = "calls")]
pub(crate) fn property(path: &str) -> Vec<u8> {
    // SAFETY: as for the body.
    given(|data, length| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, length) })
}

/// Looks at the clock.
#[cfg(feature = "calls")]
pub(crate) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes one number.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

/// Takes over what the host has put into memory of ours.
fn given(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Vec<u8> {
    let (mut data, mut length) = (null_mut(), 0);
    if call(&raw mut data, &raw mut length) != 0 || data.is_null() {
        return Vec::new();
    }
    // SAFETY: it comes from `malloc`, which makes room for exactly so many bytes.
    unsafe { Vec::from_raw_parts(data, length, length) }
}

const BODY: u32 = 0;
const REQUEST: u32 = 0;
#[cfg(feature = "calls")]
const RESPONSE: u32 = 2;
