//! Wakes a task at a time, and at no other.
//!
//! The runtime keeps its timers in wheels: a wait across a boundary of 64 ms wakes the thread there as
//! well, and one that ends before all others is told to the runtime through a descriptor, which is a
//! turn more. For an agent that waits some twenty times a second that is half of its wake-ups again,
//! and each, with the processor's caches full of others' work, costs as much as fifty observations.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

#[cfg(target_os = "linux")]
use timer::Timer;

/// Clones share one timer: only the last wait that was begun counts.
#[derive(Debug, Clone, Default)]
pub(crate) enum Alarm {
    /// The runtime's timers.
    #[default]
    OfRuntime,
    /// One of the kernel's.
    #[cfg(target_os = "linux")]
    Own(Arc<Timer>),
}

impl Alarm {
    /// A timer of the kernel for the current runtime, where there is one.
    pub(crate) fn own() -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(timer) = Timer::new() {
            return Self::Own(Arc::new(timer));
        }
        Self::OfRuntime
    }

    /// Returns at that time or a little later.
    pub(crate) async fn wait_until(&self, at: Instant) {
        #[cfg(target_os = "linux")]
        if let Self::Own(timer) = self
            && timer.wait_until(at).await.is_ok()
        {
            return;
        }
        sleep_until(at).await;
    }
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the runtime trusts what it watches to stay open"
)]
mod timer {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::Instant;

    /// A timer that is waited for like a socket.
    #[derive(Debug)]
    pub(crate) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: the timer is the owner of its descriptor, and open as long as it is watched.
            let watched = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
            Ok(Self(watched?))
        }

        pub(super) async fn wait_until(&self, at: Instant) -> io::Result<()> {
            let left = at.saturating_duration_since(Instant::now());
            self.set(left)?;
            // What an earlier wait left may wake this one; the time says so.
            while Instant::now() < at {
                self.0.readable().await?.clear_ready();
            }
            Ok(())
        }

        /// Fires once; a timer that is set again has not fired.
        fn set(&self, left: Duration) -> io::Result<()> {
            let zero = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
            let value = Itimerspec {
                it_interval: zero,
                it_value: Timespec {
                    tv_sec: seconds,
                    // Zero would stop it.
                    tv_nsec: left.subsec_nanos().max(1).into(),
                },
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &value)?;
            Ok(())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    fn own() -> Alarm {
        let alarm = Alarm::own();
        assert!(matches!(alarm, Alarm::Own(_)));
        alarm
    }

    #[tokio::test]
    async fn it_wakes_at_its_time_and_not_before() {
        let alarm = own();
        for ms in [0, 1, 30, 5] {
            let at = Instant::now() + Duration::from_millis(ms);
            alarm.wait_until(at).await;
            assert!(Instant::now() >= at, "{ms} ms");
        }
        alarm
            .wait_until(Instant::now() - Duration::from_secs(1))
            .await;
    }

    #[tokio::test]
    async fn a_wait_that_was_given_up_wakes_nobody() {
        let alarm = own();
        let soon = Instant::now() + Duration::from_millis(10);
        tokio::select! {
            biased;
            () = alarm.wait_until(soon) => panic!("it is not yet time"),
            () = tokio::task::yield_now() => {}
        }
        // It fires while nobody waits.
        sleep_until(soon + Duration::from_millis(5)).await;
        let at = Instant::now() + Duration::from_millis(30);
        alarm.wait_until(at).await;
        assert!(Instant::now() >= at);
    }
}
