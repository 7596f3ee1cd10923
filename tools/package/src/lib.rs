//! Packs podstamp for where it runs: its proxy-wasm module for proxies that fetch it, `podstamp` as an image for
//! containers, the filter as modules for other hosts, and a Collector with it. It needs nothing but Rust, and Go for the
//! Collector.
//!
//! What comes out depends on what is packed alone, so that the same sources and the same compiler give the same bytes, and
//! the image the same digest.

mod archive;
mod blob;
pub mod checksums;
pub mod collector;
mod image;
pub mod module;
pub mod program;

pub use archive::File;
pub use image::Image;

/// SHA-256, in lower-case hexadecimal digits.
pub use blob::hex as sha256;
