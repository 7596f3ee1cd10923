//! Proxy-wasm modules that do no work of their own, for the benchmark to hold podstamp against: their cost is the ABI's.
//!
//! As it is, the module replaces the body of each request by itself: the least that any module does that may change bodies. With the
//! feature `calls` it makes the calls that podstamp makes for a request that succeeds, and looks at nothing that comes back.

#![expect(unsafe_code, reason = "the ABI's names and addresses")]

#[cfg(feature = "calls")]
mod calls;
mod host;
#[cfg(not(feature = "calls"))]
mod identity;

use std::alloc::{Layout, alloc};
use std::ptr::null_mut;

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

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
