//! `blink_alloc`: an arena that grows, is shared, and keeps its memory. `rodeo`: an arena that runs destructors. What
//! must not compile is in `tests/ui/`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};

use crate::support::{Random, steps};
use sharded_arena::boxed::Box as ArenaBox;
use sharded_arena::collections::{Vec as ArenaVec, collect_in};
use sharded_arena::{Arena, Local, Region, ScratchGuard};

/// A region without huge pages: each page is a fault of its own when it is first touched.
fn region(bytes: usize) -> Region {
    Region::builder().capacity(bytes).huge_pages(false).build().expect("a valid capacity")
}

// ---- blink-alloc: match exactly -------------------------------------------------------------------------------------

/// The original takes a longer chunk from the system when the present one is full.
#[test]
fn blink_alloc__grows() {
    let arena = Arena::new();
    let mut random = Random::seeded(0xB11);
    let mut held: Vec<(&mut [u64], u64)> = Vec::new();
    for n in 0..steps(40_000) as u64 {
        held.push((arena.alloc_slice_fill_copy(random.below(40), n), n));
    }
    let small = held.iter().map(|(numbers, _)| size_of_val(&**numbers)).sum::<usize>();
    let usage = arena.memory_usage();
    assert!(usage >= small && usage <= small + small / 8 + (64 << 10), "{usage} bytes for {small}");
    held.push((arena.alloc_slice_fill_copy(3 << 20, 7), 7));
    assert!(arena.memory_usage() <= usage + (24 << 20) + (64 << 10), "a large block does not lengthen chunks");
    assert!(held.iter().all(|(numbers, n)| numbers.iter().all(|found| found == n)), "no block lies over another");
}

// ---- blink-alloc: better than the original --------------------------------------------------------------------------

/// In the original each thread that finds the chunk full appends one, longer than the last: 64 threads that meet an
/// empty arena append 64, whose lengths are Fibonacci's numbers. Here each takes its first chunk, and those beyond the
/// last shard one together.
#[test]
fn blink_alloc__sixty_four_threads_grow_an_empty_arena_linearly() {
    const CHUNK: usize = 4096;
    for shards in [1, 8, 64] {
        let arena =
            Arena::builder().capacity(256 << 20).first_chunk_bytes(CHUNK).max_shards(shards).build().expect("an arena");
        let (met, done) = (Barrier::new(64), Barrier::new(64));
        thread::scope(|scope| {
            for n in 0..64_u64 {
                let (arena, met, done) = (&arena, &met, &done);
                scope.spawn(move || {
                    met.wait();
                    let number = arena.alloc(n);
                    done.wait();
                    assert_eq!(*number, n);
                });
            }
        });
        let stats = arena.stats();
        assert_eq!((stats.live_bytes, stats.shards_owned), (64 * 8, shards), "{stats}");
        let chunks = if shards == 64 { 64 } else { shards + 1 };
        assert_eq!(stats.usage, chunks * CHUNK, "{stats}");
    }
}

/// In the original what a thread's local handle gave ends with the handle.
#[test]
fn blink_alloc__results_of_local_live_as_long_as_the_arena() {
    fn made_by_threads(arena: &Arena) -> Vec<&mut [usize]> {
        thread::scope(|scope| {
            let work = |part: usize| {
                let local = arena.local();
                (0..200).map(|n| local.alloc_slice_fill_copy(n, part * 1000 + n)).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|part| scope.spawn(move || work(part))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        })
    }
    let arena = Arena::new();
    let slices = made_by_threads(&arena);
    // The shards of the ended threads are adopted, and go on in their chunks.
    let later = made_by_threads(&arena);
    for made in [slices, later] {
        assert_eq!(made.len(), 800);
        for (at, slice) in made.into_iter().enumerate() {
            let (part, n) = (at / 200, at % 200);
            assert!(slice.len() == n && slice.iter().all(|found| *found == part * 1000 + n), "slice {n} of {part}");
            slice.fill(0);
        }
    }
}

/// Says where it was made, and counts its drops there.
struct Here(ThreadId, Rc<AtomicUsize>);
impl Drop for Here {
    fn drop(&mut self) {
        assert_eq!(self.0, thread::current().id());
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// In the original a shared arena takes only what is `Send`; one that is not shared takes anything, and then goes to
/// another thread with it. Here it takes anything, and drops none of it; what drops values there has to be `Send`. What
/// must not compile is in `tests/ui/`.
#[test]
fn blink_alloc__a_value_that_is_not_send_is_never_dropped_on_another_thread() {
    type OfArena = &'static Arena;
    assert!(
        is!(Arena: Send) && is!(Arena: Sync) && is!(ArenaVec<u8, OfArena>: Send) && is!(ArenaBox<u8, OfArena>: Send)
    );
    assert!(!is!(ArenaVec<Rc<u8>, OfArena>: Send) && !is!(ArenaBox<Rc<u8>, OfArena>: Send));
    assert!(!is!(Local<'static>: Send) && !is!(Local<'static>: Sync), "a handle stays on its thread");
    assert!(!is!(ScratchGuard<'static>: Send), "and so does a stack that was lent to one");
    let (mut arena, drops) = (Arena::new(), Rc::new(AtomicUsize::new(0)));
    let here = || Here(thread::current().id(), Rc::clone(&drops));
    for _ in 0..100 {
        arena.alloc(here());
        arena.local().alloc(here());
        arena.alloc_slice_fill_with(3, |_| here());
        drop(ArenaBox::new_in(here(), &arena));
        drop(collect_in((0..2).map(|_| here()), &arena));
    }
    thread::scope(|scope| scope.spawn(|| arena.reset()).join().expect("no panic"));
    arena.alloc(here());
    thread::spawn(move || drop(arena)).join().expect("no panic");
    assert_eq!(drops.load(Ordering::Relaxed), 100 * 3, "those of boxes and vectors, here");
}

// ---- rodeo: match exactly -------------------------------------------------------------------------------------------

type Log = Arc<Mutex<Vec<(usize, usize)>>>;

/// Writes down that it is dropped: its thread's number and its own.
struct Logged(Log, usize, usize);

impl Drop for Logged {
    fn drop(&mut self) {
        self.0.lock().expect("nobody panics here").push((self.1, self.2));
    }
}

fn taken(log: &Log) -> Vec<(usize, usize)> {
    std::mem::take(&mut log.lock().expect("nobody panics here"))
}

/// The original is one thread's and runs destructors when it is dropped, the first value first.
#[test]
fn rodeo__runs_destructors_at_reset_and_at_drop_last_first() {
    let log = Log::default();
    let mut arena = Arena::new();
    for round in 0..3 {
        for n in 0..100 {
            arena.alloc_dropped(Logged(Arc::clone(&log), round, n));
            arena.alloc(Logged(Arc::clone(&log), usize::MAX, n));
        }
        assert_eq!(taken(&log), [], "none before the reset");
        if round < 2 {
            arena.reset();
        } else {
            drop(std::mem::take(&mut arena));
        }
        let expected: Vec<_> = (0..100).rev().map(|n| (round, n)).collect();
        assert_eq!(taken(&log), expected, "once each, and of the values of `alloc` none");
    }
    assert_eq!(arena.memory_usage(), 0);
}

/// A shard is one thread's after another; the threads beyond the last shard have a list together. The order of each
/// thread's values is the same.
#[test]
fn rodeo__last_first_on_every_thread() {
    for shards in [1, 8] {
        let log = Log::default();
        let mut arena = Arena::builder().capacity(16 << 20).max_shards(shards).build().expect("an arena");
        for at_drop in [false, true] {
            let met = Barrier::new(4);
            thread::scope(|scope| {
                for thread in 0..4 {
                    let (arena, log, met) = (&arena, &log, &met);
                    scope.spawn(move || {
                        met.wait();
                        for n in 0..steps(2000) {
                            arena.alloc_dropped(Logged(Arc::clone(log), thread, n));
                        }
                        met.wait();
                    });
                }
            });
            if at_drop {
                drop(std::mem::take(&mut arena));
            } else {
                arena.reset();
            }
            let order = taken(&log);
            for thread in 0..4 {
                let own: Vec<_> = order.iter().filter(|(of, _)| *of == thread).map(|(_, n)| *n).collect();
                assert_eq!(own, (0..steps(2000)).rev().collect::<Vec<_>>(), "thread {thread} of {shards} shards");
            }
        }
    }
}

/// A value that the arena had no room for was never its own: it is the caller's to drop.
#[test]
fn rodeo__drop_counts_are_exact() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Counted<const BYTES: usize>([u8; BYTES]);
    impl<const BYTES: usize> Drop for Counted<BYTES> {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut arena = Arena::with_capacity(64 << 10).expect("an arena");
    for _ in 0..3 {
        let mut made = 0;
        let refused = loop {
            arena.alloc_dropped(Counted([]));
            made += 1;
            match arena.try_alloc_dropped(Counted([7; 300])) {
                Ok(_) => made += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0, "{made} values live");
        assert_eq!(refused.into_value().0, [7; 300]);
        assert_eq!(DROPPED.swap(0, Ordering::Relaxed), 1, "the one that came back");
        arena.reset();
        assert_eq!(DROPPED.swap(0, Ordering::Relaxed), made);
        assert!(made > 200, "{made} values in 64 KiB");
    }
    arena.reset();
    drop(arena);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 0, "none twice");
}

/// In the original the values behind one whose destructor panics are never dropped.
#[test]
fn rodeo__a_destructor_that_panics_does_not_keep_the_others_from_running() {
    struct Panics(Logged);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(self.0.2 != 50, "value 50");
        }
    }
    let log = Log::default();
    let region = region(1 << 20);
    for at_drop in [false, true] {
        let mut arena = Arena::in_region(&region);
        for n in 0..100 {
            arena.alloc_dropped(Panics(Logged(Arc::clone(&log), 0, n)));
        }
        let end = |mut arena: Arena| {
            if !at_drop {
                arena.reset();
                unreachable!("the reset panics");
            }
        };
        arena.alloc_slice_fill_copy(100_000, 0_u8);
        let panic = catch_unwind(AssertUnwindSafe(|| end(std::mem::take(&mut arena)))).expect_err("value 50 panics");
        assert_eq!(panic.downcast_ref(), Some(&"value 50"), "the destructor's own panic comes out");
        assert_eq!(taken(&log), (0..100).rev().map(|n| (0, n)).collect::<Vec<_>>(), "all others, and its own fields");
        assert_eq!(region.memory_usage(), 0, "everything was freed");
    }
}
