//! The edges of arenas: alignments and sizes, closures that come back in, destructors that misbehave.

use std::alloc::Layout;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{
    Block, Source,
    arenas::{assert_all_returns, verified},
    check_disjoint, fill_up, give, layout, quietly, take,
};
use sharded_arena::{AllocErrorKind, Arena, BumpRegion, Heap, Region, Scratch};

/// Every alignment up to 4 MiB, sizes around those at which a request changes its path.
fn edges(source: &impl Source) {
    let mut blocks = Vec::new();
    for shift in 0..=22 {
        for size in [1, 15, 1_000] {
            blocks.extend(take(source, layout(size, 1 << shift)));
        }
        assert!(blocks.len() > 2, "room for every alignment: {shift}");
    }
    for chunk in [4_096_usize, 65_536, 1 << 20] {
        for bytes in [chunk / 4, chunk - 16, chunk] {
            for size in [bytes - 16, bytes - 1, bytes, bytes + 1, bytes + 16] {
                blocks.extend(take(source, layout(size, 1 << (size % 5))));
            }
        }
    }
    check_disjoint(&blocks);
    for shift in 0..63 {
        take(source, layout(0, 1 << shift)).expect("nothing is always there");
        for size in [1, 1 << shift, (1 << 62) - (1 << shift.min(61)), isize::MAX as usize - (1 << shift) + 1] {
            let Ok(layout) = Layout::from_size_align(size, 1 << shift) else { continue };
            match take(source, layout) {
                Ok(block) => assert!(size <= 256 << 20 && shift <= 36, "{block:?}"),
                Err(error) => assert!(error.requested == size && error.align == 1 << shift, "{error}"),
            }
        }
    }
}

#[test]
fn extreme_layouts_are_served_or_refused() {
    let region = Region::with_capacity(256 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    edges(&arena);
    edges(&arena.local());
    thread::scope(|scope| scope.spawn(|| edges(&arena)).join().expect("no panic"));
    edges(&*arena.scratch());
    arena.scratch().scope(|scope| edges(scope));
    verified(&mut arena);
    assert_all_returns(&mut arena, &region);
    edges(&BumpRegion::with_capacity(256 << 20).expect("a bump region"));
    let shared = Arena::builder().region(&region).max_shards(1).build().expect("an arena");
    take(&shared, layout(1, 1)).expect("the only shard");
    thread::scope(|scope| scope.spawn(|| edges(&shared)).join().expect("no panic"));
    drop((arena, shared));
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}

#[test]
fn over_aligned_types_and_overflowing_lengths() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Page(u8);
    #[derive(Clone, Copy)]
    #[repr(align(65536))]
    struct Nothing;
    macro_rules! all_of {
        ($arena:expr) => {
            let arena = $arena;
            let pages = arena.alloc_slice_fill_with(5, |n| Page(u8::try_from(n).expect("few")));
            assert!(
                pages.as_ptr().addr() % 4_096 == 0
                    && pages.iter().enumerate().all(|(n, page)| usize::from(page.0) == n)
            );
            assert_eq!(arena.alloc(Page(9)), &Page(9));
            assert_eq!(std::ptr::from_mut(arena.alloc(Nothing)).addr() % 65_536, 0);
            assert_eq!(arena.alloc_slice_uninit::<Nothing>(usize::MAX).len(), usize::MAX);
            for len in [usize::MAX, usize::MAX / 8, (isize::MAX as usize) / 8 + 1, 1 << 61] {
                let error = arena.try_alloc_slice_fill_copy(len, 0_u64).expect_err("no memory is so long");
                assert_eq!((error.kind, error.align), (AllocErrorKind::InvalidLayout, 8));
            }
            assert!(arena.try_alloc_slice_fill_copy(isize::MAX as usize / 8, 0_u64).is_err());
        };
    }
    let arena = Arena::with_capacity(1 << 20).expect("an arena");
    all_of!(&arena);
    all_of!(arena.local());
    all_of!(arena.scratch());
    all_of!(Scratch::with_capacity(1 << 20).expect("a stack"));
    all_of!(BumpRegion::with_capacity(1 << 20).expect("a bump region"));
    arena.scratch().scope(|scope| {
        all_of!(scope);
    });
}

/// What makes a value allocates from the same arena, borrows a stack, and presses a heap of the region to its limit,
/// whose refusal gives the arena's own chunk back.
fn comes_back(arena: &Arena, heap: &Heap, depth: usize) -> u64 {
    if depth == 0 {
        let blocks: Vec<_> = std::iter::from_fn(|| take(heap, layout(5_000, 8)).ok()).collect();
        assert!(take(heap, layout(1 << 20, 8)).is_err());
        for block in blocks {
            give(heap, block);
        }
        return 1;
    }
    let with = arena.alloc_with(|| comes_back(arena, heap, depth - 1));
    let filled = arena.alloc_slice_fill_with(3, |n| *arena.alloc(n as u64) + comes_back(arena, heap, depth / 2));
    let many = arena.alloc_from_iter((0..5).filter(|n| n % 2 == 0).map(|n| {
        let mut scratch = arena.scratch();
        let kept = scratch.stage(|stage| if n < 9 { Ok(stage.alloc(n)) } else { Err(()) });
        *arena.local().alloc(*kept.expect("kept")) + comes_back(arena, heap, depth / 3)
    }));
    let text = arena.alloc_fmt(format_args!("{} {}", Comes(arena), Comes(arena)));
    let failed = arena.alloc_try_with(|| Err::<[u64; 40], _>(*arena.alloc_with(|| comes_back(arena, heap, depth / 4))));
    let panicked =
        catch_unwind(AssertUnwindSafe(|| arena.alloc_with::<u64>(|| panic!("after {}", arena.alloc(depth)))));
    assert!(text == "<in> <in>" && panicked.is_err());
    *with + filled.iter().sum::<u64>() + many.iter().sum::<u64>() + failed.expect_err("as the test wants")
}

struct Comes<'a>(&'a Arena);

impl std::fmt::Display for Comes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.alloc_str("<in>"))
    }
}

#[test]
fn reentrant_closures_get_memory() {
    let mut sums = Vec::new();
    for (capacity, max_shards) in [(256 << 10, 4), (256 << 10, 1), (2 << 20, 4)] {
        let region = Region::with_capacity(capacity).expect("a region");
        let mut arena = Arena::builder().region(&region).max_shards(max_shards).build().expect("an arena");
        let heap = Heap::in_region(&region);
        take(&arena, layout(1, 1)).expect("the first shard");
        sums.push(quietly(|| comes_back(&arena, &heap, 4)));
        thread::scope(|scope| {
            sums.push(scope.spawn(|| quietly(|| comes_back(&arena, &heap, 4))).join().expect("no panic"));
        });
        heap.flush();
        verified(&mut arena);
        drop(heap);
        assert_all_returns(&mut arena, &region);
    }
    assert!(sums.iter().all(|sum| *sum == sums[0]), "the same values whatever the room: {sums:?}");
}

#[test]
fn failed_initialisation_frees_its_memory() {
    for max_shards in [1, 4] {
        let arena = Arena::builder().capacity(1 << 20).max_shards(max_shards).build().expect("an arena");
        take(&arena, layout(64, 8)).expect("the first shard");
        let run = || {
            let (place, live) = (take(&arena, layout(8, 8)).expect("room").ptr(), arena.live_bytes());
            assert_eq!(arena.alloc_try_with(|| Err::<[u64; 40], _>(1)), Err(1));
            assert_eq!(arena.alloc_slice_try_fill_with(9, |n| if n < 7 { Ok(n) } else { Err(n) }), Err(7));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                arena.alloc_with::<[u64; 40]>(|| std::panic::resume_unwind(Box::new(1)))
            }));
            assert!(panicked.is_err());
            assert_eq!(arena.live_bytes(), live);
            assert_eq!(
                place.addr().get() - 8,
                take(&arena, layout(8, 8)).expect("room").ptr().addr().get(),
                "and reused"
            );
        };
        run();
        thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
    }
}

/// The order in which values were dropped, and the thread.
type Log = Arc<Mutex<Vec<(u64, thread::ThreadId)>>>;

/// A value that notes its end, then does what it was told.
struct Noted {
    name: u64,
    log: Log,
    then: Option<Box<dyn FnOnce() + Send>>,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.log.lock().expect("no panic inside").push((self.name, thread::current().id()));
        if let Some(then) = self.then.take() {
            then();
        }
    }
}

#[test]
fn reset_drops_each_value_once() {
    const THREADS: u64 = 8;
    const EACH: u64 = 200;
    for max_shards in [1, 3, 16] {
        let log = Log::default();
        let mut arena = Arena::builder().capacity(8 << 20).max_shards(max_shards).build().expect("an arena");
        for _ in 0..2 {
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (arena, log) = (&arena, &log);
                    scope.spawn(move || {
                        for n in 0..EACH {
                            let value = Noted { name: thread * EACH + n, log: Arc::clone(log), then: None };
                            assert_eq!(arena.alloc_dropped(value).name, thread * EACH + n);
                            arena.alloc(n);
                        }
                    });
                }
            });
            assert!(log.lock().expect("no panic").is_empty());
            arena = thread::spawn(move || {
                arena.reset();
                arena
            })
            .join()
            .expect("no panic");
            let dropped = std::mem::take(&mut *log.lock().expect("no panic"));
            assert!(dropped.iter().all(|(_, thread)| *thread == dropped[0].1 && *thread != thread::current().id()));
            let mut names: Vec<_> = dropped.iter().map(|(name, _)| *name).collect();
            for thread in 0..THREADS {
                let own: Vec<_> = names.iter().copied().filter(|name| name / EACH == thread).collect();
                assert!(own.windows(2).all(|pair| pair[0] > pair[1]), "each thread's last value first");
            }
            names.sort_unstable();
            assert!(names.iter().copied().eq(0..THREADS * EACH), "each once");
            arena.reset();
            assert!(log.lock().expect("no panic").is_empty(), "and not again");
        }
    }
}

#[test]
fn destructors_use_and_drop_other_arenas() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let log = Log::default();
    let noted = |name, then: Box<dyn FnOnce() + Send>| Noted { name, log: Arc::clone(&log), then: Some(then) };
    let other = Arc::new(Arena::in_region(&region));
    let mut arena = Arena::in_region(&region);
    for ends in [false, true] {
        for _ in 0..3 {
            let third = Arena::in_region(&region);
            third.alloc_dropped(noted(3, Box::new(|| {})));
            take(&third, layout(100_000, 8)).expect("room").check();
            arena.alloc_dropped(noted(1, Box::new(move || drop(third))));
            let used = Arc::clone(&other);
            arena.alloc_dropped(noted(2, Box::new(move || take(&*used, layout(3_000, 8)).expect("room").check())));
            // A stack of the arena that is just being reset.
            let own = std::mem::take(&mut *arena.scratch());
            take(&own, layout(500, 8)).expect("room").check();
            arena.alloc_dropped(noted(4, Box::new(move || take(&own, layout(9_000, 8)).expect("room").check())));
        }
        if ends {
            drop(std::mem::replace(&mut arena, Arena::in_region(&region)));
        } else {
            arena.reset();
            verified(&mut arena);
        }
        let mut names: Vec<_> = log.lock().expect("no panic").drain(..).map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    }
    assert_eq!(other.live_bytes(), 18_000);
    drop((arena, other));
    region.verify().expect("every byte is in one place");
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}

/// Values whose destructors panic: all others are dropped, everything is freed, the first panic goes on.
#[test]
fn panicking_destructor_leaks_nothing() {
    for (panics, ends) in [(0, false), (5, false), (9, false), (0, true), (5, true), (9, true)] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let log = Log::default();
        let mut arena = Arena::in_region(&region);
        for name in 0..10_u64 {
            let then: Box<dyn FnOnce() + Send> = Box::new(move || std::panic::panic_any(name));
            // The last value is dropped first; those before it panic too.
            let then = (name <= panics && name % 2 == panics % 2).then_some(then);
            arena.alloc_dropped(Noted { name, log: Arc::clone(&log), then });
            take(&arena, layout(20_000, 8)).expect("room").check();
        }
        let kept = region.clone();
        let panic = if ends {
            catch_unwind(AssertUnwindSafe(|| drop(arena)))
        } else {
            let panic = catch_unwind(AssertUnwindSafe(|| arena.reset()));
            assert_eq!(arena.live_bytes(), 0);
            verified(&mut arena);
            assert_all_returns(&mut arena, &region);
            panic
        };
        assert_eq!(panic.expect_err("it goes on").downcast_ref(), Some(&panics));
        assert_eq!(log.lock().expect("no panic").len(), 10, "each once");
        assert!(!ends || (kept.memory_usage(), kept.stats().leased) == (0, 0));
    }
}

#[test]
fn dropped_values_have_any_layout() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    struct Empty;
    #[repr(align(512))]
    struct Wide([u8; 700]);
    impl Drop for Empty {
        fn drop(&mut self) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl Drop for Wide {
        fn drop(&mut self) {
            assert!(self.0.iter().all(|byte| *byte == 0x5A) && std::ptr::from_ref(self).addr().is_multiple_of(512));
            COUNT.fetch_add(100, Ordering::Relaxed);
        }
    }
    let mut arena = Arena::with_capacity(64 << 10).expect("an arena");
    for round in 1..=3 {
        let mut made = 0;
        while arena.try_alloc_dropped(Empty).is_ok() && arena.try_alloc_dropped(Wide([0x5A; 700])).is_ok() {
            made += 101;
        }
        // Of the two that were refused one came back each time, and was dropped here.
        let here = COUNT.load(Ordering::Relaxed);
        assert!(made > 3_000 && arena.trim(0) < 64 << 10);
        arena.reset();
        let sum = COUNT.swap(0, Ordering::Relaxed);
        assert!(sum - here == made || sum - here == made + 1, "round {round}: {here} and {sum} of {made}");
    }
}

#[test]
fn blocks_outlive_their_thread() {
    let arena = Arena::with_capacity(1 << 20).expect("an arena");
    let ended = Cell::new(0);
    let blocks: Vec<Block> = thread::scope(|scope| {
        let run = |_| scope.spawn(|| (take(&arena, layout(99, 1)), take(&arena.local(), layout(77, 1))));
        let threads: Vec<_> = (0..12).map(run).collect();
        let results = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        results
            .inspect(|_| ended.set(ended.get() + 1))
            .flat_map(|(a, b)| [a.expect("room"), b.expect("room")])
            .collect()
    });
    assert_eq!((ended.get(), arena.live_bytes()), (12, 12 * 176));
    let rest = fill_up(&arena, layout(500, 8));
    check_disjoint(&blocks.into_iter().chain(rest).collect::<Vec<_>>());
}
