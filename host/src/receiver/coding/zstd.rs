//! zstd.

use std::cell::RefCell;

use ::zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::{ZSTD_error_dstSize_tooSmall, ZSTD_error_srcSize_wrong};
use ::zstd::zstd_safe::{DCtx, get_error_name, get_frame_content_size, is_error_kind};

use super::output::{Error, Output, believed, usual};

/// Decompresses all frames.
///
/// All of it is decompressed in one call rather than as a stream: the output is the window then, so that a header cannot ask for
/// a large one, and the memory is within the limit. Where the room turns out too small, decoding starts over with twice as much.
pub(super) fn zstd(body: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
    // The library would accept an empty body, as zero frames.
    if body.is_empty() {
        return Err(Error::cut_short());
    }
    output.grow(length(body))?;
    CONTEXT.with_borrow_mut(|context| {
        if context.is_none() {
            *context = DCtx::try_create();
        }
        let context = context.as_mut().ok_or(Error::NoRoom)?;
        loop {
            match context.decompress(&mut output.bytes, body) {
                Ok(_) => return Ok(()),
                Err(code) if is_error_kind(code, ZSTD_error_dstSize_tooSmall) => {
                    output.bytes.clear();
                    output.double()?;
                }
                Err(code) if is_error_kind(code, ZSTD_error_srcSize_wrong) => {
                    return Err(Error::Corrupt(
                        "it ends early, or something else follows its end".to_owned(),
                    ));
                }
                Err(code) => return Err(Error::Corrupt(get_error_name(code).to_lowercase())),
            }
        }
    })
}

/// The decoded length by the first frame, or the usual one if the frame does not tell it.
fn length(body: &[u8]) -> usize {
    match get_frame_content_size(body) {
        Ok(Some(length)) => believed(usize::try_from(length).unwrap_or(usize::MAX), body.len()),
        Ok(None) | Err(_) => usual(body.len()),
    }
}

thread_local! {
    /// The thread's context, which is kept: making one takes longer than decompressing a small body.
    static CONTEXT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}
