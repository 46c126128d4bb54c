//! What a process has used, as Linux tells it in `/proc`.

/// Clock ticks per second in `/proc/PID/stat`: fixed for user space on every Linux platform.
///
/// Source: proc_pid_stat(5), `sysconf(_SC_CLK_TCK)`.
const TICKS_PER_S: f64 = 100.0;

/// CPU time and memory of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// User and system time of all its threads, in seconds.
    pub cpu_s: f64,
    /// Most memory that it had resident at once, in MiB.
    pub rss_mib: f64,
    /// Memory that is resident now, in MiB.
    pub rss_now_mib: f64,
}

impl Usage {
    /// What process `pid` has used so far; `None` without `/proc` or the process.
    pub fn of(pid: u32) -> Option<Self> {
        let read = |file| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let status = read("status")?;
        Some(Self {
            cpu_s: cpu_s(&read("stat")?)?,
            rss_mib: mib(&status, "VmHWM:")?,
            rss_now_mib: mib(&status, "VmRSS:")?,
        })
    }
}

/// Fields 14 and 15, counted from 1; the name in field 2 may hold blanks and brackets.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_S)
}

fn mib(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "71 (a) b (c)) S 1 71 71 0 -1 4194560 9 0 0 0 250 150 7 8 20 0 4 0 99 1 2";
        assert_eq!(cpu_s(stat), Some(4.0));
        assert_eq!(cpu_s("71 (a) S 1"), None);
    }

    #[test]
    fn memory_is_in_kib() {
        let status = "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t 512 kB\n";
        assert_eq!(mib(status, "VmHWM:"), Some(2.0));
        assert_eq!(mib(status, "VmRSS:"), Some(0.5));
        assert_eq!(mib("Name:\ta\n", "VmRSS:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory() {
        assert!(Usage::of(std::process::id()).unwrap().rss_mib > 0.1);
    }
}
