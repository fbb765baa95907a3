//! Threads that use a heap while they end: in destructors of thread-locals, by a handle of their own, or leaking one.
//!
//! Every test joins: `thread::scope` does not wait for the destructors of thread-locals. Destructors run in the reverse
//! order of first uses, so a thread-local touched before the heap is destroyed after the thread's identity in it.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::support::{
    Block, Random, assert_empty, churn, give, give_each, heap, layout, on_a_thread, regrow, steps, take,
};
use sharded_arena::{Heap, LocalHeap, Region};

/// Uses a heap from the destructor of a thread-local.
struct AtEnd {
    heap: Heap,
    blocks: Vec<Block>,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.blocks);
        give_each(&self.heap, held);
        let left = churn(&self.heap, &mut Random::seeded(0xDEAD), 500, 50);
        give_each(&self.heap, left);
        let mut block = take(&self.heap, layout(100, 8)).expect("room");
        regrow(&self.heap, &mut block, layout(50_000, 8)).expect("room");
        let local = self.heap.local();
        give(&local, block);
        drop(local);
        self.heap.flush();
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    static LOCAL: RefCell<Option<LocalAtEnd>> = const { RefCell::new(None) };
}

#[test]
fn thread_local_destructors_use_the_heap() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        for heap_first in [false, true] {
            for _ in 0..50 {
                let heap = heap.clone();
                on_a_thread(move || {
                    if !heap_first {
                        AT_END.with(|place| assert!(place.borrow().is_none()));
                    }
                    let blocks = churn(&heap, &mut Random::seeded(0xE4D), 500, 50);
                    AT_END.set(Some(AtEnd { heap, blocks }));
                });
            }
            assert_empty(&heap);
        }
    }
}

/// A thread whose only use of a heap is inside a destructor.
#[test]
fn first_use_in_a_destructor_works() {
    let heap = heap(1 << 20, false);
    for _ in 0..50 {
        let heap = heap.clone();
        on_a_thread(move || AT_END.set(Some(AtEnd { heap, blocks: Vec::new() })));
    }
    assert_empty(&heap);
}

/// A thread's own handle, kept in a thread-local and used by its destructor while others look for dead shards.
struct LocalAtEnd {
    local: LocalHeap<'static>,
    block: Option<Block>,
    ending: Sender<()>,
    proceed: Receiver<()>,
}

impl Drop for LocalAtEnd {
    fn drop(&mut self) {
        self.ending.send(()).expect("the test waits");
        self.proceed.recv().expect("the test goes on");
        let local = &self.local;
        if let Some(block) = self.block.take() {
            give(local, block);
        }
        let left = churn(local, &mut Random::seeded(0x10CA), 2_000, 100);
        give_each(local, left);
    }
}

#[test]
fn local_handle_outlives_its_thread() {
    for heap_first in [false, true] {
        let heap: &'static Heap = Box::leak(Box::new(heap(1 << 20, false)));
        let (ending, at_end) = channel();
        let (go_on, proceed) = channel();
        let thread = thread::spawn(move || {
            if !heap_first {
                LOCAL.with(|place| assert!(place.borrow().is_none()));
            }
            let local = heap.local();
            let block = Some(take(&local, layout(200, 8)).expect("room"));
            LOCAL.set(Some(LocalAtEnd { local, block, ending, proceed }));
        });
        at_end.recv().expect("the thread ends");
        // The thread is ending, perhaps with its token's end behind it; its shard is still in use.
        for seed in 0..16 {
            heap.flush();
            on_a_thread(move || {
                let left = churn(heap, &mut Random::seeded(0x10CB + seed), 500, 50);
                give_each(heap, left);
            });
            heap.region().verify().expect("every byte is in one place");
        }
        let owned = heap.stats().shards_owned;
        assert_eq!(owned, 2, "the ending thread's shard, and this thread's");
        go_on.send(()).expect("the thread waits");
        thread.join().expect("no panic");
        assert_empty(heap);
        assert_eq!(heap.stats().shards_owned, 1, "the ended thread's shard was given up");
    }
}

#[test]
fn leaked_local_handle_costs_one_shard() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    for _ in 0..3 {
        let heap = heap.clone();
        on_a_thread(move || {
            let local = heap.local();
            let left = churn(&local, &mut Random::seeded(0x1EAF), 2_000, 100);
            give_each(&local, left);
            std::mem::forget(local);
        });
    }
    heap.flush();
    region.verify().expect("every byte is in one place");
    assert_eq!(heap.stats().shards_owned, 4, "three leaked, and this thread's");
    assert!(heap.memory_usage() <= heap.limit() / 16, "{}", heap.stats());
    // Threads beyond the shards that are left use the shared path.
    let threads: Vec<_> = (0..16)
        .map(|seed| {
            let heap = heap.clone();
            thread::spawn(move || churn(&heap, &mut Random::seeded(0x1EB0 + seed), steps(3_000), 50))
        })
        .collect();
    for thread in threads {
        give_each(&heap, thread.join().expect("no panic"));
    }
    drop(heap);
    region.verify().expect("every byte is in one place");
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0), "the heap's end takes all back");
}

/// What a thread does in its last destructor, at the test's word.
struct Late {
    heap: Heap,
    ending: Sender<usize>,
    proceed: Receiver<()>,
}

impl Drop for Late {
    fn drop(&mut self) {
        self.ending.send(0).expect("the test waits");
        self.proceed.recv().expect("the test goes on");
        let block = take(&self.heap, layout(64, 8)).expect("room");
        self.ending.send(self.heap.memory_usage()).expect("the test waits");
        self.proceed.recv().expect("the test goes on");
        give(&self.heap, block);
    }
}

thread_local! {
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// A heap with one shard: once its owner's identity has ended another thread has it, and the owner must not touch it.
#[cfg(target_os = "linux")]
#[test]
fn exiting_thread_leaves_its_shard_alone() {
    let heap = heap(64 << 10, false);
    let (ending, at_end) = channel();
    let (go_on, proceed) = channel();
    let theirs = heap.clone();
    let thread = thread::spawn(move || {
        LATE.with(|place| assert!(place.borrow().is_none()));
        give(&theirs, take(&theirs, layout(64, 8)).expect("room"));
        LATE.set(Some(Late { heap: theirs, ending, proceed }));
    });
    at_end.recv().expect("the thread ends");
    give(&heap, take(&heap, layout(64, 8)).expect("room"));
    assert_eq!((heap.stats().shards, heap.stats().shards_owned), (1, 1));
    let cached = heap.memory_usage();
    assert!(cached >= 64, "this thread has adopted the shard, and a block in it");
    go_on.send(()).expect("the thread waits");
    let usage = at_end.recv().expect("the thread goes on");
    assert_eq!(usage, cached + 64, "the ending thread's block comes from the region, not from the shard");
    go_on.send(()).expect("the thread waits");
    thread.join().expect("no panic");
    assert_eq!(heap.memory_usage(), cached, "and goes there");
    assert_empty(&heap);
}

/// Handles of two heaps in one region, used after their thread's token has ended.
struct TwoLocals([LocalHeap<'static>; 2]);

impl Drop for TwoLocals {
    fn drop(&mut self) {
        let Self([first, second]) = self;
        give(second, take(second, layout(1000, 8)).expect("room"));
        let region = first.heap().region();
        let room = region.limit() - region.memory_usage();
        assert!(room < region.limit(), "the second heap's shard holds the block");
        let block = take(first, layout(room + 16, 8)).expect("what the thread holds idle in the other heap");
        give(first, block);
    }
}

thread_local! {
    static TWO_LOCALS: RefCell<Option<TwoLocals>> = const { RefCell::new(None) };
}

#[test]
fn late_local_reclaims_its_pinned_shards() {
    let region = Region::with_capacity(64 << 10).expect("a region");
    let heaps = [Heap::in_region(&region), Heap::in_region(&region)];
    let [first, second] = heaps.map(|heap| &*Box::leak(Box::new(heap)));
    on_a_thread(move || {
        TWO_LOCALS.with(|place| assert!(place.borrow().is_none()));
        TWO_LOCALS.set(Some(TwoLocals([first.local(), second.local()])));
    });
    first.flush();
    second.flush();
    assert_eq!(region.memory_usage(), 0);
}
