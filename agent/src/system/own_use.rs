//! What this process uses of the machine, and the most that it may.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Processor time of this thread so far, in microseconds.
pub(crate) fn thread_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// Has the system refuse this process more writable memory than that (`RLIMIT_DATA`); the process
/// ends when it asks for more. Address space as such costs nothing and is not limited: libraries
/// and allocators reserve more of it than they use.
///
/// # Errors
/// What the system says.
pub(crate) fn limit_memory(bytes: u64) -> std::io::Result<()> {
    let before = getrlimit(Resource::Data);
    let bytes = before.maximum.map_or(bytes, |maximum| bytes.min(maximum));
    let limit = Rlimit {
        current: Some(bytes),
        maximum: before.maximum,
    };
    Ok(setrlimit(Resource::Data, limit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let before = thread_cpu_us();
        let mut sum = 0u64;
        while thread_cpu_us() < before + 1_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
