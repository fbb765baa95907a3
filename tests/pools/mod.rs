//! What the tests of pools share: values that say how often, and on which threads, they were dropped, and what must hold
//! of a pool's figures after everything.
#![allow(dead_code, reason = "each test program uses its part")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use sharded_arena::{Pool, PoolFull, Region};

/// On which threads each value that was made here was dropped.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Vec<ThreadId>>>);

/// A value that enters its drop in a ledger, and then panics if it was made to.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) id: usize,
    ledger: Arc<Ledger>,
    panics: bool,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Ledger> {
        Arc::default()
    }

    fn add(self: &Arc<Self>, panics: bool) -> Value {
        let mut made = self.0.lock().expect("no panic under it");
        made.push(Vec::new());
        Value { id: made.len() - 1, ledger: Arc::clone(self), panics }
    }

    pub(crate) fn make(self: &Arc<Self>) -> Value {
        self.add(false)
    }

    /// A value whose destructor panics with [`panic_of`] its number.
    pub(crate) fn make_panicking(self: &Arc<Self>) -> Value {
        self.add(true)
    }

    /// The threads on which a value was dropped: one, unless something is wrong.
    pub(crate) fn droppers(&self, id: usize) -> Vec<ThreadId> {
        self.0.lock().expect("no panic under it")[id].clone()
    }

    /// Values made so far.
    pub(crate) fn made(&self) -> usize {
        self.0.lock().expect("no panic under it").len()
    }

    /// Drops so far.
    pub(crate) fn drops(&self) -> usize {
        self.0.lock().expect("no panic under it").iter().map(Vec::len).sum()
    }

    /// Asserts that `made` values were made and each was dropped once.
    pub(crate) fn assert_all_dropped_once(&self, made: usize) {
        let drops: Vec<usize> = self.0.lock().expect("no panic under it").iter().map(Vec::len).collect();
        assert_eq!(drops, vec![1; made], "drops of each value");
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // The lock is gone before the panic: the entry is another statement's.
        self.ledger.0.lock().expect("no panic under it")[self.id].push(thread::current().id());
        assert!(!self.panics, "{}", panic_of(self.id));
    }
}

/// What the destructor of value `id` says.
pub(crate) fn panic_of(id: usize) -> String {
    format!("value {id} panics")
}

/// The text of the panic that `run` ends with.
pub(crate) fn panic_text(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("it did not panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&'static str>().expect("a text")).to_owned(),
    }
}

/// A region that a pool has alone, and the pool.
pub(crate) fn pool_alone<T>(bytes: usize) -> (Region, Pool<T>) {
    let region = Region::with_capacity(bytes).expect("memory");
    let pool = Pool::in_region(&region);
    (region, pool)
}

/// Nobody else is in the pool's region: their figures are the same, and every byte is in one place.
pub(crate) fn assert_settled<T>(pool: &Pool<T>) {
    let Some(region) = pool.region() else { return };
    assert_eq!(pool.memory_usage(), region.memory_usage(), "bytes of the only pool, and of its region");
    region.verify().expect("every byte is in one place");
}

/// The pool is gone, and was alone.
pub(crate) fn assert_returned(region: &Region) {
    assert_eq!(region.memory_usage(), 0);
    region.verify().expect("every byte is in one place");
}

/// Exactly `slots` slots are free: so many values go in, none more, and all come out again.
pub(crate) fn assert_free<T>(pool: &Pool<T>, slots: usize, mut make: impl FnMut() -> T) {
    let len = pool.len();
    let keys: Vec<_> = (0..slots).map(|n| pool.insert(make()).unwrap_or_else(|_| panic!("slot {n} is free"))).collect();
    assert!(matches!(pool.insert(make()), Err(PoolFull { .. })), "no more than {slots} slots are free");
    assert_eq!(pool.len(), len + slots);
    assert!(keys.into_iter().all(|key| pool.take(key).is_some()));
    assert_eq!(pool.len(), len);
}
