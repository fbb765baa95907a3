//! The ordinary body of the door: the standard library's atomics, `parking_lot`'s mutex.

pub(crate) use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, OnceLock};

/// The region's lock. It does not poison: no code that can panic runs under it in a release build.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }
    /// Runs `section` under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        let mut guard = self.0.try_lock().unwrap_or_else(|| self.wait());
        section(&mut guard)
    }

    /// A section is shorter than a change of threads: looks again for about two microseconds before it gives the
    /// processor away. With more threads than processors at the limit that saved four of five such changes, and 12 %
    /// of the time.
    #[cold]
    #[inline(never)]
    fn wait(&self) -> parking_lot::MutexGuard<'_, T> {
        const LOOKS: usize = 40;
        const PAUSES: usize = 4;
        for _ in 0..LOOKS {
            for _ in 0..PAUSES {
                core::hint::spin_loop();
            }
            if !self.0.is_locked()
                && let Some(guard) = self.0.try_lock()
            {
                return guard;
            }
        }
        self.0.lock()
    }
}

/// Checked by loom only.
#[derive(Debug, Default)]
pub(crate) struct Ghost;

impl Ghost {
    pub(crate) const fn new() -> Self {
        Self
    }
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the model checker's body uses it")]
    pub(crate) fn enter(&self) {}
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the model checker's body uses it")]
    pub(crate) fn look(&self) {}
}

/// `N` words of zero.
pub(crate) const fn zeroed_words<const N: usize>() -> [AtomicU64; N] {
    [const { AtomicU64::new(0) }; N]
}

/// Processors this process may use, at least one, when it was first asked: the answer takes a dozen system calls.
pub(crate) fn parallelism() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Lets another thread run.
pub(crate) fn yield_now() {
    std::thread::yield_now();
}

/// A static of shared words; `static NAME: Type = expression;`.
macro_rules! shared_static {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$meta])*
        static $name: $type = $init;
    };
}
pub(crate) use shared_static;

/// A thread-local with a constant initialiser.
macro_rules! per_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        std::thread_local! { $(#[$meta])* static $name: $type = const { $init }; }
    };
}
pub(crate) use per_thread;
