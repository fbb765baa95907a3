//! Every arena that has the typed methods, for tests that are written once.
//!
//! An arena is added with a macro `name!(bytes, arena => { body })`, which runs the body with `arena` bound to a fresh
//! arena that can hand out `bytes` bytes and no more, with a line in [`for_every_arena`], and with its [`Used`]. A
//! handle's macro makes its owner first; a scope's runs the body in the scope's closure.
#![allow(dead_code, unused_macros, reason = "each test program uses its part")]

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sharded_arena::BumpRegion;

/// Bytes in blocks: what a refusal must not change, and what comes back with the last block.
pub(crate) trait Used {
    fn used(&self) -> usize;
}

impl Used for BumpRegion {
    fn used(&self) -> usize {
        self.capacity() - self.remaining()
    }
}

macro_rules! bump_region {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let $arena = sharded_arena::BumpRegion::with_capacity($bytes).expect("memory");
        $body
    }};
}

/// The same over memory that begins at an odd address.
macro_rules! bump_region_over_odd_memory {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let $arena = sharded_arena::BumpRegion::over($crate::arenas::odd_memory($bytes)).expect("memory");
        $body
    }};
}

/// Makes the suite's tests for every arena.
macro_rules! for_every_arena {
    ($suite:ident) => {
        $suite! { bump_region }
        $suite! { bump_region_over_odd_memory }
    };
}

/// As many bytes, from an odd address on; never freed.
pub(crate) fn odd_memory(bytes: usize) -> &'static mut [MaybeUninit<u8>] {
    let memory = Box::leak(vec![MaybeUninit::uninit(); bytes + 1].into_boxed_slice());
    let from = 1 - memory.as_ptr().addr() % 2;
    &mut memory[from..from + bytes]
}

/// The text of a panic.
pub(crate) fn panic_text<R>(run: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(run()))) else { panic!("it did not panic") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&'static str>().expect("a text")).to_owned(),
    }
}

/// How often each value that was made here was dropped.
#[derive(Debug, Default)]
pub(crate) struct Log(RefCell<Vec<u32>>);

impl Log {
    pub(crate) fn make(&self) -> Tracked<'_> {
        self.0.borrow_mut().push(0);
        Tracked { id: self.made() - 1, log: self, panics: false }
    }

    /// A value whose destructor panics, once it has counted.
    pub(crate) fn make_panicking(&self) -> Tracked<'_> {
        let mut made = self.make();
        made.panics = true;
        made
    }

    pub(crate) fn made(&self) -> usize {
        self.0.borrow().len()
    }

    /// Asserts that `made` values were made and each was dropped `times` times.
    pub(crate) fn assert_dropped(&self, made: usize, times: u32) {
        assert_eq!(*self.0.borrow(), vec![times; made], "drops of each value");
    }
}

/// A value that counts its drops; cloning makes another.
#[derive(Debug)]
pub(crate) struct Tracked<'l> {
    pub(crate) id: usize,
    log: &'l Log,
    panics: bool,
}

impl Clone for Tracked<'_> {
    fn clone(&self) -> Self {
        self.log.make()
    }
}

impl Drop for Tracked<'_> {
    fn drop(&mut self) {
        self.log.0.borrow_mut()[self.id] += 1;
        assert!(!self.panics, "a destructor panics");
    }
}

/// An iterator that says it has `says` values and yields those of `values`.
pub(crate) struct Lying<I> {
    pub(crate) says: usize,
    pub(crate) values: I,
}

impl<I: Iterator> Iterator for Lying<I> {
    type Item = I::Item;
    fn next(&mut self) -> Option<I::Item> {
        self.values.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.says, Some(self.says))
    }
}

impl<I: Iterator> ExactSizeIterator for Lying<I> {}
