//! The limit of memory that the system sets for this process: Linux' control groups, both versions.

use std::fs;
use std::path::Path;

/// The limit in bytes; `None` where there is none, or where it is unknown.
pub(super) fn limit() -> Option<u64> {
    // Only Linux has this file.
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_of(Path::new("/sys/fs/cgroup"), &membership)
}

/// The least limit of the groups that a process is in, and of those around them. In a container its own group may be the
/// root, whatever its name says.
fn limit_of(root: &Path, membership: &str) -> Option<u64> {
    membership.lines().filter_map(|line| group_limit(root, line)).min()
}

/// A line is `hierarchy:controllers:group`; of version 2 there is one, without controllers.
fn group_limit(root: &Path, line: &str) -> Option<u64> {
    let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
    let (root, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let groups = Path::new(group.trim_start_matches('/')).ancestors();
    groups.filter_map(|group| read_limit(&root.join(group).join(file))).min()
}

fn read_limit(file: &Path) -> Option<u64> {
    // `max`, or in version 1 a number beyond any memory: no limit.
    let limit = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (limit < NO_LIMIT).then_some(limit)
}

const NO_LIMIT: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_all_groups_around_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let limit = |membership| limit_of(dir.path(), membership);
        assert_eq!(limit("0::/pods/a\n"), None);
        write("pods/a/memory.max", "max\n");
        assert_eq!(limit("0::/pods/a\n"), None);
        write("pods/memory.max", "536870912\n");
        assert_eq!(limit("0::/pods/a\n"), Some(512 << 20));
        write("pods/a/memory.max", "1000000\n");
        assert_eq!(limit("0::/pods/a\n"), Some(1_000_000));
        assert_eq!(limit("0::/\n"), None);
        write("memory.max", "2000000\n");
        assert_eq!(limit("0::/somewhere/else\n"), Some(2_000_000));

        write("memory/x/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("4:cpu,cpuacct:/x\n3:memory:/x\n"), None);
        write("memory/x/memory.limit_in_bytes", "3000000\n");
        assert_eq!(limit("4:cpu,cpuacct:/x\n3:memory:/x\n"), Some(3_000_000));
        assert_eq!(limit("nonsense\n"), None);
    }
}
