//! Processor time of this process and of those that it started, as Linux tells it in `/proc`.

use std::time::Duration;

/// A tick of `/proc/PID/stat`: fixed for user space on every Linux platform.
///
/// Source: proc_pid_stat(5), `sysconf(_SC_CLK_TCK)`.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of all threads of this process.
///
/// # Panics
/// Where there is no `/proc`.
pub fn own() -> Duration {
    ticks("self", 0)
}

/// User and system time so far of all threads of the running process `pid`.
///
/// # Panics
/// Where there is no `/proc`, or no such process.
pub fn of(pid: u32) -> Duration {
    ticks(&pid.to_string(), 0)
}

/// User and system time of all processes that this one started and has waited for, and of those
/// that they waited for.
///
/// # Panics
/// Where there is no `/proc`.
pub fn of_children() -> Duration {
    ticks("self", 2)
}

/// Fields 14 and 15 of the file, or 16 and 17; the name in field 2 may hold blanks and brackets.
fn ticks(process: &str, skip: usize) -> Duration {
    let file = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(file).expect("Linux has /proc, and the process runs");
    let (_, after_name) = stat.rsplit_once(')').expect("the name is in brackets");
    let fields = after_name.split_whitespace().skip(11 + skip).take(2);
    let ticks: u32 = fields
        .map(|field| field.parse::<u32>().expect("a number of ticks"))
        .sum();
    TICK * ticks
}
