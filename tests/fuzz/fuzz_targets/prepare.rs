//! Any bytes as a request: configuration, peer, headers, body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podstamp_test_support::fuzz::prepare(data));
