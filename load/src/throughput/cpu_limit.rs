//! A group of processes in which the node gets only a part of the processor.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Period over which the share is held, in microseconds: the kernel's own default.
const PERIOD_US: u64 = 100_000;

/// A control group of ours; it is removed when dropped, after the process in it has ended.
#[derive(Debug)]
pub(super) struct CpuLimit {
    group: PathBuf,
}

/// How the system spells a share of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// `cpu.cfs_quota_us` below a mount of the controller `cpu`.
    One,
    /// `cpu.max` in the one tree of all controllers.
    Two,
}

impl CpuLimit {
    /// Gives a process so many cores from now on, also less than one.
    ///
    /// # Errors
    /// When the system has no such groups or lets us make none; tells what to do.
    pub(super) fn on(process: u32, cores: f64) -> anyhow::Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts")
            .context("--node-cpus needs the control groups of Linux")?;
        let Some((version, root)) = find(&mounts) else {
            bail!(
                "--node-cpus needs control groups with the cpu controller, and none are mounted; run \
                 it on a host that has them, or limit the node by `taskset` and --node"
            );
        };
        Self::below(&root, version, process, cores)
    }

    fn below(root: &Path, version: Version, process: u32, cores: f64) -> anyhow::Result<Self> {
        let group = root.join(format!("trilobite-load-{}", std::process::id()));
        fs::create_dir(&group).with_context(|| {
            format!(
                "--node-cpus cannot make the control group {}; run it as root, in a container with \
                 its own groups",
                group.display()
            )
        })?;
        let limit = Self { group };
        let quota_us = (cores * PERIOD_US as f64).round().max(1_000.0) as u64;
        match version {
            Version::One => {
                limit.write("cpu.cfs_period_us", &PERIOD_US.to_string())?;
                limit.write("cpu.cfs_quota_us", &quota_us.to_string())?;
            }
            Version::Two => limit.write("cpu.max", &format!("{quota_us} {PERIOD_US}"))?,
        }
        limit.write("cgroup.procs", &process.to_string())?;
        Ok(limit)
    }

    fn write(&self, file: &str, text: &str) -> anyhow::Result<()> {
        let path = self.group.join(file);
        fs::write(&path, text).with_context(|| {
            format!(
                "--node-cpus cannot write {}; run it as root, and enable the cpu controller there \
                 (`echo +cpu > cgroup.subtree_control` in the folder above)",
                path.display()
            )
        })
    }
}

impl Drop for CpuLimit {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.group) {
            let group = self.group.display();
            tracing::warn!("the control group {group} stays behind: {error}; remove it with rmdir");
        }
    }
}

/// Where groups with the cpu controller are mounted: the older kind first, since a system that has
/// both keeps the controller there.
fn find(mounts: &str) -> Option<(Version, PathBuf)> {
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let (_, path, kind, options) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        let version = match kind {
            "cgroup" if options.split(',').any(|option| option == "cpu") => Version::One,
            "cgroup2" => Version::Two,
            _ => return None,
        };
        Some((version, PathBuf::from(path)))
    };
    mounts
        .lines()
        .filter_map(mount)
        .min_by_key(|(version, _)| *version as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controller_is_found_on_old_and_new_systems() {
        let old = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                   cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n\
                   cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n\
                   cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n";
        let expected = (Version::One, PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(find(old), Some(expected));
        let new = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        assert_eq!(
            find(new),
            Some((Version::Two, PathBuf::from("/sys/fs/cgroup")))
        );
        assert_eq!(find("proc /proc proc rw 0 0\n"), None);
    }

    #[test]
    fn a_share_is_written_in_both_spellings() {
        for (version, file, expected) in [
            (Version::One, "cpu.cfs_quota_us", "25000"),
            (Version::Two, "cpu.max", "25000 100000"),
        ] {
            let root = tempfile::tempdir().unwrap();
            let limit = CpuLimit::below(root.path(), version, 71, 0.25).unwrap();
            let written = |file| fs::read_to_string(limit.group.join(file)).unwrap();
            assert_eq!(
                (written(file).as_str(), written("cgroup.procs").as_str()),
                (expected, "71")
            );
        }
    }

    #[test]
    fn who_may_not_is_told_what_to_do() {
        let nowhere = Path::new("/nowhere/cgroup");
        let error = CpuLimit::below(nowhere, Version::Two, 71, 1.0).unwrap_err();
        assert!(format!("{error:#}").contains("run it as root"), "{error:#}");
    }
}
