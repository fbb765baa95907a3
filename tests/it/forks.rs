//! Forks beside threads that are in the middle of something: the child has only the thread that forked, and is served.
//!
//! Each test runs in a process of its own, which has no other threads than the test's.
#![expect(unsafe_code, reason = "forks the process")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::child::{self, this_test};
use crate::support::{give, layout, take};
use sharded_arena::allocator_api2::vec::Vec;
use sharded_arena::{Arena, Heap, Interner, Pool, Region};

/// A child that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

static REGION: LazyLock<Region> = LazyLock::new(|| Region::with_capacity(64 << 20).expect("a region"));
static HEAP: LazyLock<Heap> = LazyLock::new(|| Heap::in_region(&REGION));
static ARENA: LazyLock<Arena> = LazyLock::new(|| Arena::in_region(&REGION));
static POOL: LazyLock<Pool<u64>> = LazyLock::new(|| Pool::in_region(&REGION));
static INTERNER: LazyLock<Interner> = LazyLock::new(|| Interner::in_region(&REGION));
static GUARDED: LazyLock<Heap> = LazyLock::new(|| {
    let region = Region::builder().capacity(1 << 20).guard_mode(true).build().expect("a region");
    Heap::in_region(&region)
});

/// A number that no other call gives.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Takes a block that is too long for a size class, and gives it back: each takes the region's lock.
fn use_long_blocks() {
    let block = take(&*HEAP, layout(40_000 + number() * 7_919 % 50_000, 16)).expect("room");
    give(&*HEAP, block);
}

fn use_magazines() {
    let mut numbers = Vec::new_in(&*HEAP);
    numbers.extend(0..1_000u64);
    assert_eq!(numbers[999], 999);
}

/// Memory goes to the system between two sections, and others wait for it.
fn use_trim() {
    use_long_blocks();
    REGION.trim(0);
}

/// A block becomes unreadable between two sections, and refused requests wait for it.
fn use_guard_mode() {
    let block = take(&*GUARDED, layout(300_000, 16)).ok();
    if let Some(block) = block {
        give(&*GUARDED, block);
    }
}

/// What is made first is made under locks of its own.
fn use_fresh_ones() {
    let (arena, pool, interner) = (Arena::in_region(&REGION), Pool::in_region(&REGION), Interner::in_region(&REGION));
    assert_eq!(*arena.alloc(1u64), 1);
    assert!(pool.insert(1u64).is_ok() && interner.intern("first").is_ok());
    assert!(Heap::with_capacity(1 << 20).expect("a heap").alloc(layout(100, 8)).is_ok());
}

fn use_pool() {
    let key = POOL.insert(1).expect("a slot");
    assert!(POOL.remove(key) && POOL.reserve_many::<3>().is_ok());
}

fn use_interner() {
    let text = (number() % 10_000).to_string();
    let symbol = INTERNER.intern(&text).expect("room");
    assert_eq!(INTERNER.resolve(symbol), Some(&*text));
}

fn use_scratch() {
    let (outer, inner) = (ARENA.scratch(), ARENA.scratch());
    assert_eq!(*outer.alloc(1u64) + *inner.alloc([1u64; 2_000]).last().expect("many"), 2);
}

/// A thread takes a token and a shard, and ends.
fn use_threads() {
    thread::spawn(use_magazines).join().expect("no panic");
}

/// Forks; returns whether the child ran `serve` to its end.
fn is_served(serve: &dyn Fn()) -> bool {
    // SAFETY: the child runs `serve` and ends; what that uses is what the crate promises to a child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a signal for this process, in case its parent goes first.
        unsafe { libc::alarm(60) };
        let served = catch_unwind(AssertUnwindSafe(serve)).is_ok();
        // SAFETY: ends the child without the destructors of what it has of its parent.
        unsafe { libc::_exit(i32::from(!served)) };
    }
    assert!(child > 0, "a child process");
    let (begin, mut status) = (Instant::now(), 0);
    loop {
        // SAFETY: an own child, not yet waited for.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if ended == child {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        assert_eq!(ended, 0, "it runs");
        if begin.elapsed() > PATIENCE {
            // SAFETY: an own child.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Forks so many `children` beside two threads that do `work` again and again; each child does it too, in two threads.
fn assert_all_are_served(children: usize, work: fn()) {
    let stop = AtomicBool::new(false);
    work();
    use_long_blocks();
    let serve = || {
        let both = || (0..10).for_each(|_| work());
        both();
        thread::scope(|scope| {
            scope.spawn(both);
            scope.spawn(use_long_blocks);
        });
        REGION.verify().expect("every byte is in one place");
    };
    let served = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    work();
                }
            });
        }
        let served = (0..children).take_while(|_| is_served(&serve)).count();
        stop.store(true, Ordering::Relaxed);
        served
    });
    assert_eq!(served, children, "children in turn that were served");
    serve();
}

/// Runs `test` in a process of its own, which an alarm ends if the fork itself hangs.
fn in_own_process(test: &str, run: impl FnOnce()) {
    if child::task().is_some() {
        // SAFETY: a signal for this process, which has no handler of it.
        unsafe { libc::alarm(120) };
        run();
    } else {
        assert_eq!(child::signal_of(test, "forks"), None, "the signal");
    }
}

/// `name: children, work`: so many children are served beside threads that do this work.
macro_rules! forks {
    ($($name:ident: $children:literal, $work:ident;)*) => {
        $(#[test]
        fn $name() {
            in_own_process(this_test!($name), || assert_all_are_served($children, $work));
        })*
    };
}

forks! {
    child_is_served_beside_long_blocks: 40, use_long_blocks;
    child_is_served_beside_magazines: 15, use_magazines;
    child_is_served_beside_trims: 15, use_trim;
    child_is_served_beside_guard_mode: 15, use_guard_mode;
    child_is_served_beside_first_uses: 15, use_fresh_ones;
    child_is_served_beside_pools: 15, use_pool;
    child_is_served_beside_interners: 15, use_interner;
    child_is_served_beside_scratch_stacks: 15, use_scratch;
    child_is_served_beside_thread_exits: 15, use_threads;
}

#[test]
fn forking_threads_are_served_too() {
    in_own_process(this_test!(forking_threads_are_served_too), || {
        assert_all_are_served(10, || assert!(is_served(&use_long_blocks)));
    });
}

/// A child's children, beside threads of the child.
#[test]
fn grandchildren_are_served_too() {
    in_own_process(this_test!(grandchildren_are_served_too), || {
        use_long_blocks();
        assert!(is_served(&|| assert_all_are_served(10, use_long_blocks)));
    });
}
