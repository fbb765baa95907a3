//! What an interner asks of the global allocator: little beside its region, nothing while it works, and nothing that it
//! could not be refused.
#![expect(unsafe_code, reason = "a global allocator that counts, and refuses")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sharded_arena::{AllocErrorKind, Interner, Region};

struct Counting;

thread_local! {
    /// Bytes that this thread has asked of the global allocator and not given back, and the most so far.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
    /// Zeroed requests that still succeed; none: all of them.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn charge(layout: Layout) {
    let _nothing_at_the_thread_s_end = LIVE.try_with(|live| {
        live.set(live.get() + layout.size().cast_signed());
        PEAK.set(PEAK.get().max(live.get()));
        CALLS.set(CALLS.get() + 1);
    });
}

// SAFETY: hands every call on to the system's allocator, or refuses with null.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        charge(layout);
        // SAFETY: the trait's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match LEFT.try_with(Cell::get) {
            Ok(Some(0)) => return std::ptr::null_mut(),
            Ok(Some(more)) => LEFT.set(Some(more - 1)),
            _ => {}
        }
        charge(layout);
        // SAFETY: the trait's contract.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let _nothing_at_the_thread_s_end = LIVE.try_with(|live| live.set(live.get() - layout.size().cast_signed()));
        // SAFETY: the trait's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// The text of string `index`, without the global allocator.
fn text(index: usize, room: &mut [u8; 24]) -> &str {
    let (mut index, mut at) = (index, room.len());
    loop {
        at -= 1;
        room[at] = b"0123456789"[index % 10];
        index /= 10;
        if index == 0 {
            return std::str::from_utf8(&room[at..]).expect("digits");
        }
    }
}

#[test]
fn beside_the_region_it_holds_little_and_asks_for_nothing_more() {
    let region = Region::with_capacity(256 << 20).expect("a region");
    let before = (LIVE.get(), PEAK.set(LIVE.get()));
    let names = Interner::in_region(&region);
    let mut room = [0; 24];
    names.intern(text(0, &mut room)).expect("room");
    let calls = CALLS.get();
    let strings = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut bytes = 0;
    for index in 0..strings {
        let text = text(index, &mut room);
        bytes += text.len();
        assert_eq!(names.intern(text).expect("room").index(), index);
        assert_eq!(names.get(text), names.intern(text).ok());
        // From the first hundred on there is no beginning left to speak of.
        let bound = bytes * 22 / 10 + 64 * (index + 1);
        assert!(index < 1000 || names.memory_usage() <= bound, "{} of {bound} at {index}", names.memory_usage());
    }
    assert_eq!(CALLS.get(), calls, "a running interner asks the global allocator for nothing");
    assert!(PEAK.get() - before.0 <= 64 << 10, "{} bytes beside the region", PEAK.get() - before.0);
    let frozen = names.freeze();
    assert!(PEAK.get() - before.0 <= 64 << 10);
    drop(frozen);
    assert_eq!(LIVE.get(), before.0, "a leak");
    assert_eq!(region.memory_usage(), 0);
}

#[test]
fn a_first_use_that_is_refused_changes_nothing_and_is_tried_again() {
    for given in [true, false] {
        let mut refused = 0;
        for failure in 0.. {
            let region = given.then(|| Region::with_capacity(1 << 20).expect("a region"));
            let names = region.as_ref().map_or_else(Interner::new, Interner::in_region);
            let live = LIVE.get();
            LEFT.set(Some(failure));
            let answer = names.intern("first");
            LEFT.set(None);
            let Err(error) = answer else { break };
            refused += 1;
            assert_eq!((error.kind, error.requested, error.usage), (AllocErrorKind::LimitReached, 5, 0));
            assert_eq!((names.len(), names.memory_usage(), LIVE.get()), (0, 0, live), "failure {failure} leaks");
            assert_eq!(names.intern("first").expect("the next call tries again").index(), 0);
            let usage = names.memory_usage();
            assert!(region.is_none_or(|region| region.memory_usage() == usage && region.verify().is_ok()));
        }
        assert!(refused >= 2, "the account, the body, the directory: {refused}");
    }
}
