//! The ordinary body of the door: the standard library's atomics, `parking_lot`'s mutex. What of them is held, or half
//! made, is so in no forked child: `fork.rs`.
#![expect(unsafe_code, reason = "lists a lock")]

pub(crate) use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::Arc;

pub(crate) use super::fork::shielded;
use super::fork::{Place, Under, is_child};

/// A lock under which no process is forked. It does not poison: no code that can panic runs under it in a release
/// build.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    /// Runs `section` under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        shielded(|| section(&mut self.0.try_lock().unwrap_or_else(|| wait(&self.0))))
    }
}

/// As [`Mutex`], but a fork takes it, so it costs no more than `parking_lot`'s: the region's lock; as an outer one,
/// under which others are taken, that of an interner's shard.
pub(crate) struct ListedMutex<T, const OUTER: bool = false> {
    lock: parking_lot::Mutex<T>,
    place: Place,
}

impl<T, const OUTER: bool> ListedMutex<T, OUTER> {
    pub(crate) const fn new(value: T) -> Self {
        Self { lock: parking_lot::Mutex::new(value), place: Place::new() }
    }

    /// From now on forks take the lock.
    ///
    /// # Errors
    /// The system's refusal, at the first call of the process.
    ///
    /// # Safety
    /// The lock does not move any more, and is dropped before its memory goes.
    pub(crate) unsafe fn list(&self) -> std::io::Result<()> {
        // SAFETY: nothing is unlocked through it here; handlers unlock what they have locked.
        let raw = unsafe { self.lock.raw() };
        // SAFETY: this function's contract: both are parts of the lock, whose drop ends it.
        unsafe { self.place.enter(raw, OUTER) }
    }

    /// Runs `section` under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        let mut guard = self.lock.try_lock().unwrap_or_else(|| wait(&self.lock));
        let _under = Under::<OUTER>::enter();
        section(&mut guard)
    }
}

impl<T, const OUTER: bool> Drop for ListedMutex<T, OUTER> {
    fn drop(&mut self) {
        self.place.leave(OUTER);
    }
}

/// A section is shorter than a change of threads: looks again for about two microseconds before it gives the processor
/// away. With more threads than processors at the limit that saved four of five such changes, and 12 % of the time.
#[cold]
#[inline(never)]
fn wait<T>(lock: &parking_lot::Mutex<T>) -> parking_lot::MutexGuard<'_, T> {
    const LOOKS: usize = 40;
    const PAUSES: usize = 4;
    for _ in 0..LOOKS {
        for _ in 0..PAUSES {
            core::hint::spin_loop();
        }
        if !lock.is_locked()
            && let Some(guard) = lock.try_lock()
        {
            return guard;
        }
    }
    while is_child() {
        yield_now();
        if let Some(guard) = lock.try_lock() {
            return guard;
        }
    }
    lock.lock()
}

/// A value that is made once. No process is forked meanwhile.
#[derive(Debug)]
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.get_mut()
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take()
    }

    #[inline]
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get().unwrap_or_else(|| shielded(|| self.0.get_or_init(make)))
    }

    /// Makes it `value`; gives that back if it was made before.
    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        shielded(|| self.0.set(value))
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
