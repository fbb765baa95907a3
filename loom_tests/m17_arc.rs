//! Model 17: handles of one value on several threads. The last of them to go, and one that finds itself the only one,
//! see what the others did with the value; it is dropped, or taken out, once, and so is its block.
//!
//! Breaks it: `release`'s Release and its Acquire (`last_sees`), `is_only`'s Acquire (`only_sees`),
//! `arc.decided-apart` (`one_taker`).
#![expect(unsafe_code, reason = "an allocator of the model's own; loom's cells hand out raw pointers")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc as StdArc, Mutex};

use allocator_api2::alloc::{AllocError, Allocator, Global};
use loom::cell::UnsafeCell;

use super::support::harness::{BOUNDED, SMALL, explore};
use super::support::threads::Count;
use crate::boxed::Arc;

/// Keeps what it is given back until the model's execution ends, so that a block given back twice is seen, and no more.
#[derive(Clone, Default)]
struct Keeps(StdArc<Kept>);

#[derive(Default)]
struct Kept(Mutex<Vec<(usize, Layout)>>);

// SAFETY: the standard library's blocks, freed when all handles have gone.
unsafe impl Allocator for Keeps {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Global.allocate(layout)
    }
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        let mut kept = self.0.0.lock().expect("no role panics with it");
        let block = (ptr.as_ptr().expose_provenance(), layout);
        if !kept.contains(&block) {
            kept.push(block);
        } else if !std::thread::panicking() {
            drop(kept);
            panic!("a block was freed twice");
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for (address, layout) in self.0.get_mut().expect("no role panics with it").drain(..) {
            let block = NonNull::new(core::ptr::with_exposed_provenance_mut(address)).expect("a block's address");
            // SAFETY: a block of that layout, given back by its owner.
            unsafe { Global.deallocate(block, layout) };
        }
    }
}

/// What the handles share: a cell that any of them may read, and who is alone may write. The count is not a word of the
/// model.
struct Value {
    cell: UnsafeCell<u32>,
    drops: &'static AtomicUsize,
}

// SAFETY: loom reports any unordered use of the cell; that is what it is for.
unsafe impl Sync for Value {}

impl Value {
    fn read(&self) -> u32 {
        self.cell.with(|cell| {
            // SAFETY: loom checks that nobody writes; the pointer is the cell's.
            unsafe { cell.read() }
        })
    }

    /// For who has the value exclusively.
    fn write(&self, number: u32) {
        self.cell.with_mut(|cell| {
            // SAFETY: loom checks that the access is exclusive; the pointer is the cell's.
            unsafe { cell.write(number) };
        });
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self { cell: UnsafeCell::new(self.read()), drops: self.drops }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // A second report would end the process.
        if !std::thread::panicking() {
            self.write(u32::MAX);
        }
        self.drops.fetch_add(1, Relaxed);
    }
}

type Handle = Arc<Value, Keeps>;

/// A handle for each role; loom does not see the lock, and the handles are equal.
struct State {
    handles: Mutex<Vec<Handle>>,
    blocks: Keeps,
    drops: &'static AtomicUsize,
    /// Roles that got the value out; not a word of the model.
    taken: AtomicUsize,
}

impl State {
    fn new(handles: usize, drops: &'static AtomicUsize) -> Self {
        drops.store(0, Relaxed);
        let blocks = Keeps::default();
        let first = Arc::new_in(Value { cell: UnsafeCell::new(1), drops }, blocks.clone());
        let mut made: Vec<_> = (1..handles).map(|_| first.clone()).collect();
        made.push(first);
        Self { handles: Mutex::new(made), blocks, drops, taken: AtomicUsize::new(0) }
    }

    fn take(&self) -> Handle {
        self.handles.lock().expect("no role panics with it").pop().expect("a handle for each role")
    }

    /// As many values were dropped, each with its block.
    fn check(&self, values: usize) {
        assert_eq!(
            (self.drops.load(Relaxed), self.blocks.0.0.lock().expect("no role panics with it").len()),
            (values, values)
        );
    }
}

fn reads_and_drops(state: &State) {
    let handle = state.take();
    assert_eq!(handle.read(), 1);
    drop(handle);
}

/// Its clone outlives it: the count goes up between two that take it down.
fn clones_and_drops(state: &State) {
    let handle = state.take();
    let clone = handle.clone();
    drop(handle);
    assert_eq!(clone.read(), 1);
}

#[test]
fn m17_last_sees() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let make = || State::new(2, &DROPS);
    explore("m17_arc::last_sees", SMALL, make, &[reads_and_drops, reads_and_drops], |state| state.check(1));
    explore("m17_arc::last_sees_clone", SMALL, make, &[reads_and_drops, clones_and_drops], |state| state.check(1));
    let make = || State::new(3, &DROPS);
    let roles: &[fn(&State)] = &[reads_and_drops, clones_and_drops, reads_and_drops];
    explore("m17_arc::last_sees_three", BOUNDED, make, roles, |state| state.check(1));
}

/// Who has the only handle writes to the value, or takes it out.
#[test]
fn m17_only_sees() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    static WRITTEN: Count = Count::new();
    static UNWRAPPED: Count = Count::new();
    let make = || State::new(2, &DROPS);
    let writes = |state: &State| {
        let mut handle = state.take();
        if let Some(value) = Arc::get_mut(&mut handle) {
            value.write(2);
            WRITTEN.hit();
        }
    };
    let unwraps = |state: &State| {
        if let Ok(value) = Arc::try_unwrap(state.take()) {
            value.write(2);
            UNWRAPPED.hit();
        }
    };
    explore("m17_arc::only_sees", SMALL, make, &[reads_and_drops, writes], |state| state.check(1));
    explore("m17_arc::only_sees_unwrap", SMALL, make, &[reads_and_drops, unwraps], |state| state.check(1));
    WRITTEN.happened("the only handle wrote");
    UNWRAPPED.happened("the only handle's value was taken out");
}

/// Who shares the value gets a clone to write to, and who has it alone the value itself.
#[test]
fn m17_make_mut() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    static CLONED: Count = Count::new();
    static ALONE: Count = Count::new();
    let writes = |state: &State| {
        let mut handle = state.take();
        let before = core::ptr::from_ref(&*handle);
        let value = Arc::make_mut(&mut handle);
        value.write(2);
        let cloned = !core::ptr::eq(value, before);
        state.taken.fetch_add(usize::from(cloned), Relaxed);
        CLONED.hit_if(cloned);
        ALONE.hit_if(!cloned);
    };
    let check = |state: &State| state.check(1 + state.taken.load(Relaxed));
    explore("m17_arc::make_mut", SMALL, || State::new(2, &DROPS), &[reads_and_drops, writes], check);
    explore("m17_arc::make_mut_both", BOUNDED, || State::new(2, &DROPS), &[writes, writes], check);
    CLONED.happened("the value was cloned");
    ALONE.happened("the value was the writer's alone");
}

/// Of several that give their handles up for the value exactly one gets it.
#[test]
fn m17_one_taker() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let takes = |state: &State| {
        if let Some(value) = Arc::into_inner(state.take()) {
            value.write(2);
            state.taken.fetch_add(1, Relaxed);
        }
    };
    let check = |state: &State| {
        assert_eq!(state.taken.load(Relaxed), 1, "one gets the value");
        state.check(1);
    };
    explore("m17_arc::one_taker", SMALL, || State::new(2, &DROPS), &[takes, takes], check);
    explore("m17_arc::one_taker_of_three", BOUNDED, || State::new(3, &DROPS), &[takes, takes, takes], check);
    let at_most_one = |state: &State| {
        assert!(state.taken.load(Relaxed) <= 1, "one gets the value, or the destructor");
        state.check(1);
    };
    explore("m17_arc::one_taker_beside", SMALL, || State::new(2, &DROPS), &[takes, reads_and_drops], at_most_one);
}
