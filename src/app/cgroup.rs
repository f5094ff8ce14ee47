//! The memory limit of the control group that the relay runs in, as systemd, Docker and Kubernetes set it.

use std::{fs, path::Path};

use crate::http::OTHER_MEMORY;

/// Returns a warning if the control group allows less memory than the relay may need, because the kernel would kill it.
pub fn memory_warning(max_memory: usize) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    warning(memory_limit(Path::new("/sys/fs/cgroup"), &groups)?, max_memory)
}

fn warning(limit: u64, max_memory: usize) -> Option<String> {
    let needed = u64::try_from(max_memory + OTHER_MEMORY).unwrap_or(u64::MAX);
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    (limit < needed).then(|| {
        format!(
            "the memory limit of the control group is {} MiB, but the relay may need {} MiB (`server.max_memory` and {} MiB \
             more): set a smaller `server.max_memory` or a larger limit",
            limit >> 20,
            mib(needed),
            mib(OTHER_MEMORY as u64)
        )
    })
}

/// Returns the smallest `memory.max` of the process's control group and of the groups that contain it. `groups` is the
/// text of `/proc/self/cgroup`. Returns `None` without a limit, and with version 1 of control groups.
fn memory_limit(root: &Path, groups: &str) -> Option<u64> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = root.join(group);
    let folders = folder.ancestors().take_while(|folder| folder.starts_with(root));
    let limits = folders.filter_map(|folder| fs::read_to_string(folder.join("memory.max")).ok());
    limits.filter_map(|limit| limit.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_of_the_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("system.slice/relay.service");
        fs::create_dir_all(&inner).unwrap();
        let limit = || memory_limit(root.path(), "1:name=systemd:/x\n0::/system.slice/relay.service\n");
        assert_eq!(limit(), None);
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(limit(), None);
        fs::write(inner.join("memory.max"), "536870912\n").unwrap();
        assert_eq!(limit(), Some(512 << 20));
        fs::write(root.path().join("memory.max"), "268435456\n").unwrap();
        assert_eq!(limit(), Some(256 << 20));
        assert_eq!(memory_limit(root.path(), "4:memory:/docker\n"), None);
    }

    #[test]
    fn a_limit_that_is_too_small_gives_a_warning() {
        assert_eq!(warning(448 << 20, 384 << 20), None);
        let text = warning(447 << 20, 384 << 20).unwrap();
        assert!(
            text.starts_with(
                "the memory limit of the control group is 447 MiB, but the relay may need 448 MiB"
            ),
            "{text}"
        );
    }
}
