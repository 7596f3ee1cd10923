//! Pages of the program itself.

use std::ffi::c_void;
use std::fs;
use std::ops::Range;
use std::path::Path;

use rustix::mm::{Advice, madvise};

/// Lets go of the pages of the program's file. To be called once the program has started: each page comes back when it is used, and most
/// of them were used to start and never are again. They count as this process's memory as long as it holds them.
pub(crate) fn let_go_of_code() {
    let (Ok(program), Ok(mappings)) =
        (fs::read_link("/proc/self/exe"), fs::read_to_string("/proc/self/smaps"))
    else {
        return;
    };
    for Range { start, end } in untouched(&mappings, &program) {
        // SAFETY: the kernel reads pages of the program's file again when they are used. Nothing in them was changed, which would be
        // lost, and nothing can be while they may not be written; and a program's own file stays where it is mapped.
        #[expect(unsafe_code, reason = "it is safe for what nobody has changed")]
        let advised = unsafe { madvise(start as *mut c_void, end - start, Advice::LinuxDontNeed) };
        if let Err(error) = advised {
            tracing::debug!(%error, "pages of the program stay in memory");
        }
    }
}

/// Where `file` is mapped so that it cannot be changed, and has not been. `mappings`: as `/proc/self/smaps` has them, a line with what
/// is mapped where, and lines with figures about it.
fn untouched(mappings: &str, file: &Path) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in mappings.lines() {
        if let Some((range, rest)) = head(line) {
            let is_it = rest.splitn(5, ' ').nth(4).is_some_and(|path| Path::new(path.trim_start()) == file);
            let is_fixed = rest.as_bytes().get(1) == Some(&b'-');
            mapping = Some(range).filter(|_| is_it && is_fixed);
        } else if line.strip_prefix("Anonymous:").is_some_and(|size| size.trim() == "0 kB") {
            found.extend(mapping.take());
        }
    }
    found
}

/// The range at the begin of a mapping's first line, and the rest of it; `None` of any other line.
fn head(line: &str) -> Option<(Range<usize>, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some((address(start)?..address(end)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_programs_and_cannot_be_written_and_was_not_is_let_go() {
        let mappings = "\
            55a0-55b0 r--p 00000000 fd:00 11 /opt/my pod/podstamp\nSize: 64 kB\nAnonymous:             0 kB\nVmFlags: rd mr\n\
            55b0-55c0 r-xp 00010000 fd:00 11    /opt/my pod/podstamp\nAnonymous:      4 kB\n\
            55c0-55d0 r-xp 00020000 fd:00 11 /opt/my pod/podstamp\nAnonymous: 0 kB\n\
            55d0-55e0 rw-p 00030000 fd:00 11 /opt/my pod/podstamp\nAnonymous: 0 kB\n\
            55e0-55f0 rw-p 00000000 00:00 0\nAnonymous: 0 kB\n\
            7fa0-7fb0 r-xp 00000000 fd:00 12 /lib/libc.so.6\nAnonymous: 0 kB\n\
            7fc0-7fd0 r-xp 00000000 00:00 0 \nAnonymous: 0 kB\n";
        assert_eq!(untouched(mappings, Path::new("/opt/my pod/podstamp")), [0x55a0..0x55b0, 0x55c0..0x55d0]);
        for odd in ["", "55a0", "x-y r--p 0 0 1 /a\nAnonymous: 0 kB", "Anonymous: 0 kB"] {
            assert!(untouched(odd, Path::new("/a")).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_program_goes_on_without_the_pages_that_it_let_go() {
        let resident = || podstamp::memory::Memory::default().resident().unwrap();
        let (program, mappings) =
            (fs::read_link("/proc/self/exe").unwrap(), fs::read_to_string("/proc/self/smaps").unwrap());
        assert!(!untouched(&mappings, &program).is_empty(), "{mappings}");
        // Other tests take memory meanwhile.
        let is_less = (0..100).any(|_| {
            let before = resident();
            let_go_of_code();
            resident() < before
        });
        assert!(is_less, "{mappings}");
    }
}
