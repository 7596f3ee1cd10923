//! Any calls of the guest on one instance: what it was called with before, and what it is called with now.
#![no_main]

use podstamp_fuzz as fuzz;

#[path = "../src/guest.rs"]
mod guest;

libfuzzer_sys::fuzz_target!(|data: &[u8]| guest::guest(data));
