//! The only door to the primitives of concurrency: atomics, orderings, the mutex, thread-locals, processor count.
//!
//! Two bodies. The ordinary one is the standard library's atomics and `parking_lot`'s mutex. The other is compiled only
//! for the model checker (`cfg(all(test, loom))`), so a downstream crate that sets `--cfg loom` for its own tests gets
//! the ordinary one. No other file names `std::sync`, `core::sync`, `parking_lot`, `thread_local`, `loom` or an
//! `Ordering`; a test greps for it.
//!
//! - [`ord!`] names an ordering. `ord!("site", Acquire)` is a constant in ordinary builds; under the model checker the
//!   environment variable `SHARDED_ARENA_WEAKEN=site` turns that one site into `Relaxed`. `ord!(Relaxed)` has no name,
//!   for it cannot be weakened.
//! - [`mutant!`] is `false` in ordinary builds; under the model checker `SHARDED_ARENA_WEAKEN=name` makes it `true`. It
//!   leaves out one rule of a protocol, so that a model can be seen to fail without it.
//! - [`Owned32`], [`Owned64`], [`OwnedUsize`] are words which one thread at a time writes, with a plain load and store, and which any
//!   thread may read as a hint. Loom does not see them: a [`Ghost`] beside them is what it checks.
//! - [`Ghost`] is a zero-sized nothing in ordinary builds and a checked cell under loom: whoever has the exclusive use
//!   of some state enters its ghost, and a missing happens-before edge is loom's error.
//!
//! `compare_exchange_weak` may fail for no reason. x86-64 and loom never do that; under loom the wrapper here makes the
//! first weak exchange of every word fail while [`forced_weak_failure`] is on.

/// An ordering with the name of its site; see the module's header.
macro_rules! ord {
    (Relaxed) => {
        $crate::sync::Ordering::Relaxed
    };
    ($site:literal, $order:ident) => {{
        #[cfg(not(all(test, loom)))]
        {
            $crate::sync::Ordering::$order
        }
        #[cfg(all(test, loom))]
        {
            static WEAK: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
            if *WEAK.get_or_init(|| $crate::sync::is_weakened($site)) {
                $crate::sync::Ordering::Relaxed
            } else {
                $crate::sync::Ordering::$order
            }
        }
    }};
}
pub(crate) use ord;

/// `true` only under the model checker and only for the rule that its run leaves out; see the module's header.
macro_rules! mutant {
    ($name:literal) => {{
        #[cfg(not(all(test, loom)))]
        {
            false
        }
        #[cfg(all(test, loom))]
        {
            static ON: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
            *ON.get_or_init(|| $crate::sync::is_weakened($name))
        }
    }};
}
pub(crate) use mutant;

pub(crate) use body::*;
pub(crate) use crossbeam::utils::CachePadded;

/// A `u32` that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Owned32(core::sync::atomic::AtomicU32);

/// A `u64` that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Owned64(core::sync::atomic::AtomicU64);

/// A `usize` that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct OwnedUsize(core::sync::atomic::AtomicUsize);

/// A figure that anyone adds to and nothing is decided by; it wraps. Loom does not see it.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Figure(core::sync::atomic::AtomicU64);

// Relaxed throughout: what the words describe is published by whoever hands over the right to write them (the region's
// lock, a depot's head, a token's end), never by the words themselves.
impl Owned32 {
    pub(crate) const fn zero() -> Self {
        Self(core::sync::atomic::AtomicU32::new(0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, core::sync::atomic::Ordering::Relaxed);
    }
}

impl Owned64 {
    pub(crate) const fn zero() -> Self {
        Self(core::sync::atomic::AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, core::sync::atomic::Ordering::Relaxed);
    }
}

impl OwnedUsize {
    pub(crate) const fn new(value: usize) -> Self {
        Self(core::sync::atomic::AtomicUsize::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> usize {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value, core::sync::atomic::Ordering::Relaxed);
    }
}

// Relaxed throughout: only the number matters.
impl Figure {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(core::sync::atomic::Ordering::Relaxed)
    }
    pub(crate) fn add(&self, value: u64) {
        self.0.fetch_add(value, core::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(not(all(test, loom)))]
mod body {
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
    }

    /// `N` words of zero.
    pub(crate) const fn zeroed_words<const N: usize>() -> [AtomicU64; N] {
        [const { AtomicU64::new(0) }; N]
    }

    /// Processors this process may use, at least one.
    pub(crate) fn parallelism() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
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
}

#[cfg(all(test, loom))]
mod body {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::Ordering;
    pub(crate) use std::sync::OnceLock;

    use std::cell::{Cell, UnsafeCell};
    use std::sync::atomic::{AtomicBool, Ordering as StdOrdering};

    /// Whether this run weakens the site `name`.
    pub(crate) fn is_weakened(name: &str) -> bool {
        std::env::var("SHARDED_ARENA_WEAKEN").is_ok_and(|site| site == name)
    }

    std::thread_local! {
        /// A model's threads all run on the system thread of its test, so other tests do not see this.
        static FORCED: Cell<bool> = const { Cell::new(false) };
    }

    /// From now on the first weak exchange of each new word fails, or no longer does, in the models of this test.
    pub(crate) fn forced_weak_failure(on: bool) {
        FORCED.set(on);
    }

    macro_rules! word {
        ($name:ident, $value:ty) => {
            #[derive(Debug)]
            pub(crate) struct $name {
                word: loom::sync::atomic::$name,
                failed: AtomicBool,
            }
            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }
            #[allow(dead_code, reason = "one macro makes every word, not every word needs every operation")]
            impl $name {
                pub(crate) fn new(value: $value) -> Self {
                    Self { word: loom::sync::atomic::$name::new(value), failed: AtomicBool::new(false) }
                }
                pub(crate) fn load(&self, order: Ordering) -> $value {
                    self.word.load(order)
                }
                pub(crate) fn store(&self, value: $value, order: Ordering) {
                    self.word.store(value, order);
                }
                pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.word.fetch_add(value, order)
                }
                pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.word.fetch_sub(value, order)
                }
                pub(crate) fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.word.compare_exchange(current, new, success, failure)
                }
                pub(crate) fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    if FORCED.get() && !self.failed.swap(true, StdOrdering::Relaxed) {
                        return Err(self.word.load(failure));
                    }
                    self.word.compare_exchange(current, new, success, failure)
                }
            }
        };
    }
    word!(AtomicU32, u32);
    word!(AtomicU64, u64);
    word!(AtomicUsize, usize);

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T> {
        lock: loom::sync::Mutex<()>,
        value: UnsafeCell<T>,
    }

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self { lock: loom::sync::Mutex::new(()), value: UnsafeCell::new(value) }
        }
        pub(crate) fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
            let locked = !mutant!("rule.region.unlocked");
            let _held = locked.then(|| self.lock.lock().expect("no model panics under the lock and goes on"));
            // SAFETY: the lock is held. Without it, a model is to be seen failing; its threads take turns on one system
            // thread and change places at loom's words only.
            #[expect(unsafe_code, reason = "one mutant runs the section without its lock")]
            let value = unsafe { &mut *self.value.get() };
            section(value)
        }
    }

    // SAFETY: the value is used under the lock.
    #[expect(unsafe_code, reason = "a lock beside its value, so that a mutant can leave it out")]
    unsafe impl<T: Send> Sync for Mutex<T> {}

    #[derive(Debug)]
    pub(crate) struct Ghost(loom::cell::UnsafeCell<()>);

    impl Default for Ghost {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Ghost {
        pub(crate) fn new() -> Self {
            Self(loom::cell::UnsafeCell::new(()))
        }
        pub(crate) fn enter(&self) {
            self.0.with_mut(|_| ());
        }
    }

    // SAFETY: the cell holds nothing; loom reports an unordered entry, which is what it is for.
    #[expect(unsafe_code, reason = "a ghost is shared between threads so that loom can see who enters it")]
    unsafe impl Sync for Ghost {}

    pub(crate) fn zeroed_words<const N: usize>() -> [AtomicU64; N] {
        core::array::from_fn(|_| AtomicU64::new(0))
    }

    pub(crate) fn parallelism() -> usize {
        1
    }

    pub(crate) fn yield_now() {
        loom::thread::yield_now();
    }

    macro_rules! shared_static {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
            loom::lazy_static! { $(#[$meta])* static ref $name: $type = $init; }
        };
    }
    pub(crate) use shared_static;

    macro_rules! per_thread {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
            loom::thread_local! { $(#[$meta])* static $name: $type = $init; }
        };
    }
    pub(crate) use per_thread;
}
