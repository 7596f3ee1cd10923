//! Any calls of the guest on one instance: what it was called with before, and what it is called with now.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podstamp_test_support::fuzz::guest::guest(data));
