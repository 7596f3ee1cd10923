//! Edits gzip members without compressing their bodies again.
//!
//! What a client compressed is changed at a few places, or marked so that another body may follow in the same member. Both only read
//! the symbols of a stream, which takes a fraction of the time that finding them took. No repetition is looked for, and nothing is
//! unpacked: who calls has the body already.
//!
//! - [`spliced`] makes the stream of an edited body;
//! - [`opened`] makes a stream that another one may follow.
//!
//! Streams come from anybody. Reading one takes time in proportion to its bytes, whatever it holds, about as inflating it does; and none
//! makes either of them panic.

mod member;
mod open;
mod splice;
mod stream;
#[cfg(test)]
mod testing;

pub use open::opened;
pub use splice::spliced;
