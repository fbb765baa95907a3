//! Threads that use an arena while they end: through it, a kept handle, or a stack that it lends; what they leak.
//!
//! Every test joins: `thread::scope` does not wait for the destructors of thread-locals. Destructors run in the reverse
//! order of first uses, so a thread-local touched before the arena is destroyed after the thread's identity in it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::support::{
    Block, Random,
    arenas::{assert_all_returns, bump_churn, verified},
    bytes_of, check_disjoint, count_panics, fill_up, give, layout, on_a_thread, take,
};
use sharded_arena::{Arena, Local, Region};

/// Uses an arena from the destructor of a thread-local, and sends what it allocated there.
struct AtEnd {
    arena: Arc<Arena>,
    left: Sender<Vec<Block>>,
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);
static PANICS: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let arena = &*self.arena;
        let mut blocks = bump_churn(arena, &mut Random::new(0xDEAD), 100);
        {
            let local = arena.local();
            blocks.extend((0..50).map(|n| take(&local, layout(n * 7, 8)).expect("room")));
        }
        for depth in 0..3 {
            let mut outer = arena.scratch();
            let kept = take(&*outer, layout(100, 8)).expect("room");
            let inner = arena.scratch();
            check_disjoint(&[kept, take(&*inner, layout(100 * depth, 8)).expect("room")]);
            outer.scope(|scope| assert!(fill_up(scope, layout(60_000, 16)).len() > 1));
        }
        arena.alloc_dropped(Counted);
        check_disjoint(&blocks);
        self.left.send(blocks).expect("the test waits");
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    static LOCAL: RefCell<Option<LocalAtEnd>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// What the thread does, one after the other, before it ends.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Touches the thread-local, whose destructor is registered then.
    Register,
    /// Allocates: the thread has an identity.
    Allocate,
    /// Borrows a stack: the thread has an id of the `thread_local` crate.
    Scratch,
}

#[test]
fn thread_local_destructors_use_the_arena() {
    use Step::{Allocate, Register, Scratch};
    let region = Region::with_capacity(4 << 20).expect("a region");
    let arena = Arc::new(Arena::builder().region(&region).max_shards(2).build().expect("an arena"));
    let (left, blocks) = channel();
    let orders: [&[Step]; 8] = [
        &[Register],
        &[Register, Allocate],
        &[Allocate, Register],
        &[Register, Scratch],
        &[Scratch, Register],
        &[Allocate, Scratch, Register],
        &[Allocate, Register, Scratch],
        &[Register, Scratch, Allocate],
    ];
    let mut values = 0;
    for order in orders {
        for _ in 0..3 {
            let (theirs, left) = (Arc::clone(&arena), left.clone());
            on_a_thread(move || {
                // A panic that is caught still ends a program that aborts on panics.
                count_panics(&PANICS);
                for step in order {
                    match step {
                        Register => AT_END.with(|place| assert!(place.borrow().is_none())),
                        Allocate => {
                            theirs.alloc_dropped(Counted);
                        }
                        Scratch => drop(take(&*theirs.scratch(), layout(10, 1)).expect("room")),
                    }
                }
                AT_END.set(Some(AtEnd { arena: theirs, left }));
            });
            values += 1 + order.iter().filter(|step| matches!(step, Allocate)).count();
        }
    }
    drop(left);
    let blocks: Vec<_> = blocks.into_iter().flatten().collect();
    check_disjoint(&blocks);
    let mut arena = Arc::into_inner(arena).expect("all threads are gone");
    let listed = values * 24;
    assert!((bytes_of(&blocks)..=bytes_of(&blocks) + listed).contains(&arena.live_bytes()), "{}", arena.stats());
    let stats = arena.stats();
    assert!(stats.scratch_bytes <= stats.leased, "stacks hold a chunk at most: {stats}");
    verified(&mut arena);
    arena.reset();
    assert_eq!(DROPPED.load(Ordering::Relaxed), values, "each once");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "none, caught or not");
    assert_all_returns(&mut arena, &region);
}

/// A thread's own handle, kept in a thread-local and used by its destructor while others look for dead shards.
struct LocalAtEnd {
    local: Local<'static>,
    block: Block,
    ending: Sender<Vec<Block>>,
    proceed: Receiver<()>,
}

impl Drop for LocalAtEnd {
    fn drop(&mut self) {
        self.ending.send(Vec::new()).expect("the test waits");
        self.proceed.recv().expect("the test goes on");
        let blocks = (0..300).map(|n| take(&self.local, layout(n, 8)).expect("room")).collect();
        self.block.check();
        self.ending.send(blocks).expect("the test waits");
    }
}

#[test]
fn kept_handle_outlives_its_thread() {
    for arena_first in [false, true] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let arena: &'static Arena = Box::leak(Box::new(Arena::in_region(&region)));
        let (ending, at_end) = channel();
        let (go_on, proceed) = channel();
        let thread = thread::spawn(move || {
            if !arena_first {
                LOCAL.with(|place| assert!(place.borrow().is_none()));
            }
            let local = arena.local();
            let block = take(&local, layout(200, 8)).expect("room");
            LOCAL.set(Some(LocalAtEnd { local, block, ending, proceed }));
        });
        at_end.recv().expect("the thread ends");
        // The thread is ending, perhaps with its token's end behind it; its shard is still in use.
        let mut blocks = Vec::new();
        for seed in 0..16 {
            blocks.extend(on_a_thread(move || bump_churn(arena, &mut Random::new(0x10CB + seed), 50)));
            assert!(take(arena, layout(1 << 20, 1)).is_err(), "a refusal sweeps");
            region.verify().expect("every byte is in one place");
        }
        go_on.send(()).expect("the thread waits");
        let theirs = at_end.recv().expect("the thread goes on");
        thread.join().expect("no panic");
        blocks.extend(theirs);
        blocks.extend(bump_churn(arena, &mut Random::new(0x10C), 50));
        check_disjoint(&blocks);
        assert_eq!(arena.live_bytes(), bytes_of(&blocks) + 200);
    }
}

#[test]
fn leaked_handle_costs_shard_until_reset() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut arena = Arena::builder().region(&region).max_shards(4).build().expect("an arena");
    for _ in 0..2 {
        let shared = Arc::new(arena);
        for _ in 0..3 {
            let theirs = Arc::clone(&shared);
            on_a_thread(move || {
                let local = theirs.local();
                take(&local, layout(64, 8)).expect("room").check();
                std::mem::forget(local);
            });
        }
        take(&*shared, layout(64, 8)).expect("the fourth shard");
        let in_use = shared.memory_usage();
        assert_eq!(shared.stats().shards_owned, 4);
        // Threads beyond them share a chunk.
        let blocks: Vec<_> = (0..8)
            .flat_map(|seed| {
                let theirs = Arc::clone(&shared);
                on_a_thread(move || bump_churn(&theirs, &mut Random::new(0x1EB0 + seed), 50))
            })
            .collect();
        check_disjoint(&blocks);
        assert!(shared.memory_usage() > in_use && shared.stats().shards_owned == 4);
        arena = Arc::into_inner(shared).expect("all threads are gone");
        assert_all_returns(&mut arena, &region);
        assert_eq!(arena.stats().shards_owned, 1, "the leaked ones were given up: {}", arena.stats());
    }
}

#[test]
fn leaked_guard_costs_its_stack() {
    const COUNT: usize = 5_000;
    let region = Region::with_capacity(16 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    for n in 0..COUNT {
        let scratch = arena.scratch();
        if n % 100 == 0 {
            take(&*scratch, layout(100, 8)).expect("room");
        }
        std::mem::forget(scratch);
    }
    let held = arena.memory_usage();
    assert!(held > 0 && arena.stats().scratch_bytes == held, "{}", arena.stats());
    take(&*arena.scratch(), layout(100, 8)).expect("another stack");
    verified(&mut arena);
    arena.reset();
    assert!(arena.memory_usage() >= held, "leaked stacks stay in use");
    assert_all_returns(&mut arena, &region);
    let scratch = arena.scratch();
    take(&*scratch, layout(100, 8)).expect("room");
    std::mem::forget(scratch);
    drop(arena);
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}

/// What a thread does in its last destructor, at the test's word.
struct Late {
    arena: Arc<Arena>,
    ending: Sender<Vec<Block>>,
    proceed: Receiver<()>,
}

impl Drop for Late {
    fn drop(&mut self) {
        self.ending.send(Vec::new()).expect("the test waits");
        self.proceed.recv().expect("the test goes on");
        let blocks: Vec<_> = (0..20).map(|_| take(&*self.arena, layout(64, 8)).expect("room")).collect();
        self.ending.send(blocks).expect("the test waits");
        self.proceed.recv().expect("the test goes on");
    }
}

/// An arena with one shard: once its owner's identity has ended another thread has it, and the owner must not touch it.
#[cfg(target_os = "linux")]
#[test]
fn exiting_thread_leaves_its_shard_alone() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let arena = Arc::new(Arena::builder().region(&region).max_shards(1).build().expect("an arena"));
    let (ending, at_end) = channel();
    let (go_on, proceed) = channel();
    let theirs = Arc::clone(&arena);
    let thread = thread::spawn(move || {
        LATE.with(|place| assert!(place.borrow().is_none()));
        take(&*theirs, layout(64, 8)).expect("room").check();
        LATE.set(Some(Late { arena: theirs, ending, proceed }));
    });
    at_end.recv().expect("the thread ends");
    let mut mine: Vec<_> = (0..10).map(|_| take(&*arena, layout(64, 8)).expect("room")).collect();
    assert_eq!((arena.stats().shards, arena.stats().shards_owned), (1, 1));
    let adopted = arena.memory_usage();
    assert_eq!(adopted, 4_096, "this thread has adopted the shard with its chunk");
    go_on.send(()).expect("the thread waits");
    let late = at_end.recv().expect("the thread goes on");
    assert!(arena.memory_usage() > adopted, "the ending thread's blocks come from another chunk");
    mine.extend((0..10).map(|_| take(&*arena, layout(64, 8)).expect("room")));
    let together: Vec<_> = late.into_iter().chain(mine).collect();
    check_disjoint(&together);
    assert_eq!(arena.live_bytes(), 41 * 64);
    go_on.send(()).expect("the thread waits");
    thread.join().expect("no panic");
    for block in together {
        give(&*arena, block);
    }
    assert_eq!(arena.live_bytes(), 64);
}
