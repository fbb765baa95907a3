//! What each of the systems that this crate contains is known for: one test a clause, named `<system>__<clause>`, in the
//! files of `tests/systems/`. Each says what the original does. What must not compile is in `tests/ui/`.
#![allow(non_snake_case, reason = "two underscores part the system's name from the clause's")]
#![expect(unsafe_code, reason = "a global allocator that counts")]

mod common;

#[path = "systems/arena.rs"]
mod arena;
#[path = "systems/arena_b.rs"]
mod arena_b;
#[path = "systems/arena_b_memory.rs"]
mod arena_b_memory;
#[path = "systems/bitcoin_arena.rs"]
mod bitcoin_arena;
#[path = "systems/blocks.rs"]
mod blocks;
#[path = "systems/bump.rs"]
mod bump;
#[path = "systems/bumpalo.rs"]
mod bumpalo;
#[path = "systems/collections.rs"]
mod collections;
#[path = "systems/guard.rs"]
mod guard;
#[path = "systems/heap_handles.rs"]
mod heap_handles;
#[path = "systems/interner.rs"]
mod interner;
#[path = "systems/pool.rs"]
mod pool;
#[path = "systems/scratch.rs"]
mod scratch;
#[path = "systems/shared_handles.rs"]
mod shared_handles;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the calling thread's allocations.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Allocations of the calling thread so far.
fn allocations() -> usize {
    ALLOCATIONS.get()
}

// SAFETY: hands every call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _no_count_at_the_thread_s_end = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the trait's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the trait's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;
