//! What a command prints on stdout.

use std::io::{self, ErrorKind, Write};

/// Stdout. A reader that closes the pipe has read enough: `podstamp check | head` does not fail.
#[derive(Debug)]
pub(crate) struct Output<W>(W);

/// This process's.
pub(crate) fn stdout() -> Output<io::Stdout> {
    Output(io::stdout())
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}
