//! Any bytes as a body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podstamp_test_support::fuzz::walk(data));
