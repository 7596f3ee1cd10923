//! Archives without times, owners and paths of the machine, so that the same files give the same bytes.

use std::io;

use tar::{Builder, EntryType, Header};

/// A tar archive of files that everybody may read.
pub(crate) fn tar(files: &[(String, &[u8])]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder.append_data(&mut header, path, *bytes)?;
    }
    builder.into_inner()
}
