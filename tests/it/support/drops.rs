//! Values that know how often, and on which threads, they were dropped.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

/// On which threads each value that was made here was dropped.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Vec<ThreadId>>>);

/// A value that enters its drop in its log, and then panics if it was made to. Cloning it makes another.
#[derive(Debug)]
pub(crate) struct Value<L: Deref<Target = Log>> {
    pub(crate) id: usize,
    log: L,
    panics: bool,
}

/// A value that refers to its log.
pub(crate) type Tracked<'l> = Value<&'l Log>;

/// A value that owns a share of its log.
pub(crate) type Owning = Value<Arc<Log>>;

impl Log {
    /// Creates a log that outlives every scope, so that their values may refer to it; never freed.
    pub(crate) fn leaked() -> &'static Log {
        Box::leak(Box::default())
    }

    pub(crate) fn shared() -> Arc<Log> {
        Arc::default()
    }

    pub(crate) fn make(&self) -> Tracked<'_> {
        Value::of(self, false)
    }

    /// Makes a value whose destructor panics with [`panic_of`] its number.
    pub(crate) fn make_panicking(&self) -> Tracked<'_> {
        Value::of(self, true)
    }

    pub(crate) fn make_owning(self: &Arc<Self>) -> Owning {
        Value::of(Arc::clone(self), false)
    }

    /// Makes a value whose destructor panics with [`panic_of`] its number.
    pub(crate) fn make_owning_panicking(self: &Arc<Self>) -> Owning {
        Value::of(Arc::clone(self), true)
    }

    /// Returns how many values were made.
    pub(crate) fn made(&self) -> usize {
        self.0.lock().expect("no panic under it").len()
    }

    /// Returns how many values were dropped; none was dropped twice.
    pub(crate) fn drops(&self) -> usize {
        let drops = self.0.lock().expect("no panic under it");
        assert!(drops.iter().all(|threads| threads.len() <= 1), "a value was dropped twice");
        drops.iter().map(Vec::len).sum()
    }

    /// Returns how many values were made, and how many were dropped.
    pub(crate) fn figures(&self) -> (usize, usize) {
        (self.made(), self.drops())
    }

    /// Returns the threads on which a value was dropped: one at most, unless something is wrong.
    pub(crate) fn droppers(&self, id: usize) -> Vec<ThreadId> {
        self.0.lock().expect("no panic under it")[id].clone()
    }

    /// Asserts that `made` values were made and each was dropped `times` times.
    #[track_caller]
    pub(crate) fn assert_dropped(&self, made: usize, times: usize) {
        let drops: Vec<usize> = self.0.lock().expect("no panic under it").iter().map(Vec::len).collect();
        assert_eq!(drops, vec![times; made], "drops of each value");
    }

    /// Asserts that `made` values were made and each was dropped once.
    #[track_caller]
    pub(crate) fn assert_all_dropped(&self, made: usize) {
        self.assert_dropped(made, 1);
    }
}

impl<L: Deref<Target = Log>> Value<L> {
    fn of(log: L, panics: bool) -> Self {
        let mut made = log.0.lock().expect("no panic under it");
        made.push(Vec::new());
        let id = made.len() - 1;
        drop(made);
        Self { id, log, panics }
    }
}

impl<L: Deref<Target = Log> + Clone> Clone for Value<L> {
    fn clone(&self) -> Self {
        Self::of(self.log.clone(), false)
    }
}

impl<L: Deref<Target = Log>> Drop for Value<L> {
    fn drop(&mut self) {
        // The lock is gone before the panic: the entry is another statement's.
        self.log.0.lock().expect("no panic under it")[self.id].push(thread::current().id());
        assert!(!self.panics, "{}", panic_of(self.id));
    }
}

/// Returns the text of the panic of the destructor of value `id`.
pub(crate) fn panic_of(id: usize) -> String {
    format!("value {id} panics")
}
