//! The model checker's body of the door: loom's primitives under the same names.

pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release};
pub(crate) use std::sync::OnceLock;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering as StdOrdering};

std::thread_local! {
    /// A model's threads all run on the system thread of its test, so other tests do not see this.
    static FORCED: Cell<bool> = const { Cell::new(false) };
}

/// From now on the first weak exchange of each new word fails, or no longer does, in the models of this test.
pub(crate) fn forced_weak_failure(on: bool) {
    FORCED.set(on);
}

std::thread_local! {
    static PUBLISHED: Cell<bool> = const { Cell::new(false) };
}

/// From now on the regions of this test's models publish what a refusal without the lock looks at, or no longer do:
/// each section would be a step longer in the models of other protocols.
pub(crate) fn publish(on: bool) {
    PUBLISHED.set(on);
}

pub(crate) fn is_published() -> bool {
    PUBLISHED.get()
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
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.word.swap(value, order)
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
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        section(&mut self.0.lock().expect("no model panics under the lock and goes on"))
    }
}

/// There are no forks in a model.
pub(crate) struct ListedMutex<T, const OUTER: bool = false>(Mutex<T>);

impl<T, const OUTER: bool> ListedMutex<T, OUTER> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
    /// Safe in this body.
    ///
    /// # Safety
    /// As in the other body.
    #[expect(unsafe_code, clippy::unnecessary_wraps, clippy::unused_self, reason = "as the other body")]
    pub(crate) unsafe fn list(&self) -> std::io::Result<()> {
        Ok(())
    }
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut T) -> R) -> R {
        self.0.with(section)
    }
}

pub(crate) fn shielded<R>(part: impl FnOnce() -> R) -> R {
    part()
}

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
    pub(crate) fn look(&self) {
        self.0.with(|_| ());
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
