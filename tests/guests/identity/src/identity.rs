//! Replaces the body of each request by itself.

use crate::{CONTINUE, PAUSE, host};

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _headers: usize, _end: u32) -> u32 {
    host::remove_header("content-length");
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, size: usize, end: u32) -> u32 {
    if end == 0 {
        return PAUSE;
    }
    let body = host::body(size);
    if !body.is_empty() {
        host::set_body(size, &body);
    }
    CONTINUE
}
