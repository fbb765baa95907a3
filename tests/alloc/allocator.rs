//! The global allocator of this program: hands every call on to the system's, counts, refuses, and checks layouts.
//!
//! The counts and the switches are the calling thread's, so that tests run beside each other; only what is checked is
//! counted for the whole process. Every block has its size and alignment written in front of it.
//!
//! Deliberately absent: `realloc`. The trait's own allocates, copies and frees, and so is counted and refused as those
//! are.
#![expect(unsafe_code, reason = "a global allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Instrumented;

#[global_allocator]
static GLOBAL: Instrumented = Instrumented;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static TABLES: Cell<isize> = const { Cell::new(0) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
    static LEFT: Cell<Option<(Requests, usize)>> = const { Cell::new(None) };
}
static BYTES: AtomicUsize = AtomicUsize::new(0);
static WRONG: AtomicUsize = AtomicUsize::new(0);

/// Which requests may be refused.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Requests {
    /// The crate takes its tables zeroed. The standard library, which ends the process when it is refused, never does.
    Zeroed,
    All,
}

/// Returns the requests that this thread has made so far, without those refused.
pub(crate) fn calls() -> usize {
    CALLS.get()
}

/// Returns the bytes that this thread has taken and not given back.
pub(crate) fn live() -> isize {
    LIVE.get()
}

/// Returns the greatest number of bytes that this thread had since [`reset_peak`].
pub(crate) fn peak() -> isize {
    PEAK.get()
}

pub(crate) fn reset_peak() {
    PEAK.set(LIVE.get());
}

/// Returns the live blocks of this thread that are aligned to the cache line at least. Tables, heaps and regions are;
/// nothing else that the tests allocate is.
pub(crate) fn tables() -> isize {
    TABLES.get()
}

/// Returns how many requests of this thread were refused so far.
pub(crate) fn refused() -> usize {
    REFUSED.get()
}

/// Runs `run`, in which the `n`-th of these requests of this thread and all later ones are refused.
pub(crate) fn refusing<R>(requests: Requests, n: usize, run: impl FnOnce() -> R) -> R {
    LEFT.set(Some((requests, n)));
    let result = run();
    LEFT.set(None);
    result
}

/// Returns the live bytes of the whole process; asserts that every block so far was freed with its layout.
pub(crate) fn process_bytes() -> usize {
    assert_eq!(WRONG.load(Ordering::Relaxed), 0, "blocks freed with another layout");
    BYTES.load(Ordering::Relaxed)
}

fn refuses(zeroed: bool) -> bool {
    // A thread-local without a destructor is there until its thread has ended.
    match LEFT.get() {
        Some((requests, left)) if zeroed || requests == Requests::All => {
            LEFT.set(Some((requests, left.saturating_sub(1))));
            REFUSED.set(REFUSED.get() + usize::from(left == 0));
            left == 0
        }
        _ => false,
    }
}

fn count(layout: Layout, sign: isize) {
    LIVE.set(LIVE.get() + sign * layout.size().cast_signed());
    TABLES.set(TABLES.get() + sign * isize::from(layout.align() >= 64));
    PEAK.set(PEAK.get().max(LIVE.get()));
    if sign > 0 {
        CALLS.set(CALLS.get() + 1);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
    } else {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
    }
}

/// Returns what is asked of the system for `layout`, and where in it the block begins: at an odd multiple of its
/// alignment, so that no block has more alignment than was asked for.
fn padded(layout: Layout) -> Option<(Layout, usize)> {
    let align = layout.align().max(16);
    let front = if layout.align() >= 16 { layout.align() } else { 16 + layout.align() };
    let whole = Layout::from_size_align(layout.size().checked_add(front)?, 2 * align).ok()?;
    Some((whole, front))
}

/// The header of a block in memory of the system's at `start`.
fn header(start: *mut u8) -> *mut [usize; 2] {
    start.cast()
}

/// Serves a request with memory of the system's, as `system` takes it.
fn serve(layout: Layout, zeroed: bool, system: impl FnOnce(Layout) -> *mut u8) -> *mut u8 {
    if refuses(zeroed) {
        return std::ptr::null_mut();
    }
    let Some((whole, front)) = padded(layout) else { return std::ptr::null_mut() };
    let start = system(whole);
    if start.is_null() {
        return start;
    }
    count(layout, 1);
    // SAFETY: at least 16 bytes lie in front of the block.
    unsafe { header(start).write([layout.size(), layout.align()]) };
    start.wrapping_add(front)
}

// SAFETY: blocks are disjoint parts of the system allocator's blocks, aligned as asked for; or null.
unsafe impl GlobalAlloc for Instrumented {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: not empty.
        serve(layout, false, |whole| unsafe { System.alloc(whole) })
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: not empty.
        serve(layout, true, |whole| unsafe { System.alloc_zeroed(whole) })
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some((whole, front)) = padded(layout) else { return };
        let start = ptr.wrapping_sub(front);
        // SAFETY: written by `serve`, if the layout is the same; if not, a test is about to fail.
        let written = unsafe { header(start).read() };
        if written != [layout.size(), layout.align()] {
            // No panic in an allocator: the block is leaked, and a test sees the count.
            WRONG.fetch_add(1, Ordering::Relaxed);
            return;
        }
        count(layout, -1);
        // SAFETY: allocated with this layout.
        unsafe { System.dealloc(start, whole) };
    }
}
