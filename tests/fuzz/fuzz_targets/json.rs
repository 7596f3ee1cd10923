//! Any bytes as a request in JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podstamp_test_support::fuzz::json(data));
