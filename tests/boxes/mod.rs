//! What the tests of boxes and `Arc`s share: values that say when and where they were dropped, and every allocator that
//! they are put into.
#![allow(dead_code, unused_macros, reason = "each test program uses its part")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use sharded_arena::{Arena, Heap};

/// Every value that was made, and where it was dropped.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<Vec<ThreadId>>>);

/// A value, of a number that no other of its log has.
pub(crate) struct Value<'l> {
    log: &'l Log,
    pub(crate) id: usize,
    panics: bool,
}

impl Log {
    pub(crate) fn make(&self) -> Value<'_> {
        self.make_of(false)
    }

    /// One whose destructor panics.
    pub(crate) fn make_panicking(&self) -> Value<'_> {
        self.make_of(true)
    }

    fn make_of(&self, panics: bool) -> Value<'_> {
        let mut drops = self.0.lock().expect("no panic under it");
        drops.push(Vec::new());
        Value { log: self, id: drops.len() - 1, panics }
    }

    /// Values that were made, values that were dropped; none was dropped twice.
    pub(crate) fn figures(&self) -> (usize, usize) {
        let drops = self.0.lock().expect("no panic under it");
        assert!(drops.iter().all(|threads| threads.len() <= 1), "a value was dropped twice");
        (drops.len(), drops.iter().filter(|threads| !threads.is_empty()).count())
    }

    /// `made` values were made, and each was dropped.
    pub(crate) fn assert_all_dropped(&self, made: usize) {
        assert_eq!(self.figures(), (made, made), "made, dropped");
    }

    /// Where the value of that number was dropped.
    pub(crate) fn dropped_on(&self, id: usize) -> ThreadId {
        self.0.lock().expect("no panic under it")[id][0]
    }
}

impl Clone for Value<'_> {
    fn clone(&self) -> Self {
        self.log.make()
    }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        self.log.0.lock().expect("no panic under it")[self.id].push(thread::current().id());
        assert!(!self.panics, "a destructor panics");
    }
}

/// Clones until its turn, then panics.
pub(crate) struct ClonesUntil<'l>(pub(crate) Value<'l>, pub(crate) &'l std::cell::Cell<usize>);

impl Clone for ClonesUntil<'_> {
    fn clone(&self) -> Self {
        let left = self.1.get();
        assert!(left > 0, "step");
        self.1.set(left - 1);
        Self(self.0.clone(), self.1)
    }
}

/// An iterator that says what it is told to about its length, and may panic when it is dropped.
pub(crate) struct Says<I> {
    pub(crate) hint: (usize, Option<usize>),
    pub(crate) panics: bool,
    pub(crate) values: I,
}

impl<I: Iterator> Iterator for Says<I> {
    type Item = I::Item;
    fn next(&mut self) -> Option<I::Item> {
        self.values.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint
    }
}

impl<I> Drop for Says<I> {
    fn drop(&mut self) {
        assert!(!self.panics, "the end");
    }
}

/// The text of the panic that `run` ends with.
#[track_caller]
pub(crate) fn panic_text<R>(run: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else { panic!("it did not panic") };
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a text")
}

/// The figures of whatever an allocator hands out from.
pub(crate) trait Figures {
    fn live(&self) -> usize;
    fn usage(&self) -> usize;
}

macro_rules! figures {
    ($($type:ty)*) => { $(
        impl Figures for $type {
            fn live(&self) -> usize {
                self.live_bytes()
            }
            fn usage(&self) -> usize {
                self.memory_usage()
            }
        }
    )* };
}
figures! { Heap Arena &Heap &Arena }

/// Runs `$test` with each allocator, of about `$bytes` bytes: a heap by reference and by value, plain and checked, and an
/// arena. Afterwards nothing is left in any.
macro_rules! everywhere {
    ($bytes:expr, $test:expr $(, $with:expr)*) => {{
        for checked in [false, true] {
            let heap = common::heap($bytes, checked);
            $test(&heap $(, $with)*);
            common::assert_empty(&heap);
            $test(heap.clone() $(, $with)*);
            common::assert_empty(&heap);
        }
        let arena = sharded_arena::Arena::with_capacity($bytes).expect("an arena");
        $test(&arena $(, $with)*);
        assert_eq!(arena.live_bytes(), 0, "of an arena");
    }};
}
