//! What tests compress with, and read back.

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor};
pub(crate) use podstamp_test_support::fuzz::gzip::zlib;

/// A stream of libdeflate.
pub(crate) fn libdeflate(body: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
    let mut stream = vec![0; compressor.deflate_compress_bound(body.len())];
    let length = compressor.deflate_compress(body, &mut stream).unwrap();
    stream.truncate(length);
    stream
}

/// The body of a stream, which has to be read to its last byte, and whether it ends there.
pub(crate) fn inflated(stream: &[u8], length: usize) -> (Vec<u8>, Status) {
    let mut plain = Vec::with_capacity(length + 1);
    let mut inflate = Decompress::new(false);
    let status = inflate.decompress_vec(stream, &mut plain, FlushDecompress::None).unwrap();
    assert_eq!(inflate.total_in(), stream.len() as u64);
    (plain, status)
}
