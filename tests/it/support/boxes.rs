//! What the tests of boxes and `Arc`s share: values that say when and where they were dropped, and every allocator that
//! they are put into.

use sharded_arena::{Arena, Heap};

use super::Tracked;

/// Clones until its turn, then panics.
pub(crate) struct ClonesUntil<'l>(pub(crate) Tracked<'l>, pub(crate) &'l std::cell::Cell<usize>);

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

/// Runs `$test` with each allocator, of about `$bytes` bytes: a heap by reference and by value, plain and checked, and
/// an arena. Afterwards nothing is left in any.
macro_rules! everywhere {
    ($bytes:expr, $test:expr $(, $with:expr)*) => {{
        for checked in [false, true] {
            let heap = $crate::support::heap($bytes, checked);
            $test(&heap $(, $with)*);
            $crate::support::assert_empty(&heap);
            $test(heap.clone() $(, $with)*);
            $crate::support::assert_empty(&heap);
        }
        let arena = sharded_arena::Arena::with_capacity($bytes).expect("an arena");
        $test(&arena $(, $with)*);
        assert_eq!(arena.live_bytes(), 0, "of an arena");
    }};
}
