//! File descriptors: how many this process may have, and what they are for.

use std::fs;

/// How many connections of clients may be open where the configuration sets no limit; `None` where the system does not
/// tell its limit of open files.
pub(crate) fn connections() -> Option<usize> {
    // Only Linux has this file.
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    open_files(&limits).map(left_for_connections)
}

/// The soft limit of open files; `None` without one.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn left_for_connections(files: usize) -> usize {
    // Where there are few, a quarter each for connections upstream and all else is still much.
    let reserve = RESERVE.min(files / 2);
    (files - reserve).clamp(1, MAX_CONNECTIONS)
}

/// Connections upstream, the admin listener and its clients, files that are read again, the runtime.
const RESERVE: usize = 512;

/// Each takes some ten KiB before it has said anything; a node has a few hundred senders.
const MAX_CONNECTIONS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_leaves_a_reserve() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files(&limits.replace("1024 ", "unlimited ")), None);
        assert_eq!(open_files(""), None);
        for (files, connections) in [(1, 1), (256, 128), (1024, 512), (4096, 3584), (1 << 30, 16_384)] {
            assert_eq!(left_for_connections(files), connections, "{files}");
        }
    }
}
