//! Any bytes as a gzip member and edits of its body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| podstamp_test_support::fuzz::gzip::gzip(data));
