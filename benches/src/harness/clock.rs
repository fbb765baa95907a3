//! The time of one thread's work: while it was on a core, so that whatever else a shared machine does in between is
//! not the contender's.

use std::time::Duration;

/// Time this thread has been on a core, in the program and in the system on its behalf.
#[cfg(unix)]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Where the system keeps no such time: that of the wall.
#[cfg(not(unix))]
fn thread_time() -> Duration {
    use std::{sync::OnceLock, time::Instant};

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// What `work` takes this thread.
pub fn time(work: impl FnOnce()) -> Duration {
    let start = thread_time();
    work();
    // A thread's clock does not run backwards.
    thread_time().saturating_sub(start)
}
