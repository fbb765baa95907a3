//! Threads that end, and threads that use a heap while they end.
//!
//! Every test joins: `thread::scope` does not wait for the destructors of thread-locals.

mod common;

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{Block, Random, assert_empty, churn, give, heap, layout, regrow, steps, take};
use sharded_arena::{Heap, LocalHeap, Region};

/// Runs `body` on a thread and joins it.
fn on_a_thread<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(body).join().expect("no panic")
}

fn slack(heap: &Heap) -> usize {
    heap.limit() / 16
}

#[test]
fn a_hundred_thousand_short_threads_leave_nothing_behind() {
    const AT_ONCE: usize = 8;
    for checked in [false, true] {
        let heap = heap(4 << 20, checked);
        let count = if checked { 1_000 } else { steps(100_000) };
        for round in 0..count / AT_ONCE {
            let threads: Vec<_> = (0..AT_ONCE)
                .map(|i| {
                    let heap = heap.clone();
                    thread::Builder::new()
                        .stack_size(64 << 10)
                        .spawn(move || {
                            let block = take(&heap, layout(1 + (round * 31 + i * 97) % 3_000, 8)).expect("room");
                            give(&heap, block);
                        })
                        .expect("a thread")
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            let quarantined = if checked { 256 * 3_072 } else { 0 };
            assert!(heap.memory_usage() <= slack(&heap) + quarantined, "round {round}: {}", heap.stats());
        }
        let stats = heap.stats();
        assert!(stats.shards_owned <= stats.shards && stats.shards <= 64, "{stats}");
        assert_empty(&heap);
        assert_eq!(heap.stats().shards_owned, usize::from(!checked), "this thread's, since the flush");
    }
}

#[test]
fn blocks_of_an_ended_thread_are_freed_by_another_and_reused_by_a_third() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        for seed in 0..20 {
            let (a, b, c) = (heap.clone(), heap.clone(), heap.clone());
            let blocks = on_a_thread(move || churn(&a, &mut Random::seeded(0xA0 + seed), steps(3_000), 400));
            assert!(!blocks.is_empty());
            on_a_thread(move || blocks.into_iter().for_each(|block| give(&b, block)));
            on_a_thread(move || {
                let whole = take(&c, layout(1 << 20, 16)).expect("nothing of A and B stands in the way");
                give(&c, whole);
            });
        }
        assert_empty(&heap);
    }
}

#[test]
fn a_thread_that_only_frees_does_not_hoard() {
    for checked in [false, true] {
        let heap = heap(16 << 20, checked);
        let (blocks, to_free): (Sender<Vec<Block>>, Receiver<_>) = channel();
        let (done, freed) = channel();
        let freeing = {
            let heap = heap.clone();
            thread::spawn(move || {
                for batch in to_free {
                    batch.into_iter().for_each(|block| give(&heap, block));
                    done.send(()).expect("the other side waits");
                }
            })
        };
        let mut random = Random::seeded(0xF3EE);
        for _ in 0..steps(2_000) {
            let batch = (0..128).map(|_| take(&heap, layout(1 + random.below(1_500), 8)).expect("room")).collect();
            blocks.send(batch).expect("the other side waits");
            freed.recv().expect("the other side lives");
            let quarantined = if checked { 256 * 1_536 } else { 0 };
            assert!(heap.memory_usage() <= slack(&heap) + quarantined, "{}", heap.stats());
        }
        drop(blocks);
        freeing.join().expect("no panic");
        assert_empty(&heap);
    }
}

/// Uses a heap from the destructor of a thread-local.
struct AtEnd {
    heap: Heap,
    blocks: Vec<Block>,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.blocks);
        held.into_iter().for_each(|block| give(&self.heap, block));
        let left = churn(&self.heap, &mut Random::seeded(0xDEAD), 500, 50);
        left.into_iter().for_each(|block| give(&self.heap, block));
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
fn destructors_of_thread_locals_may_use_the_heap() {
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
fn the_first_use_may_be_in_a_destructor() {
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
        left.into_iter().for_each(|block| give(local, block));
    }
}

#[test]
fn a_local_handle_outlives_its_thread_s_guard() {
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
                left.into_iter().for_each(|block| give(heap, block));
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
fn a_leaked_local_handle_costs_at_most_a_shard() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    for _ in 0..3 {
        let heap = heap.clone();
        on_a_thread(move || {
            let local = heap.local();
            let left = churn(&local, &mut Random::seeded(0x1EAF), 2_000, 100);
            left.into_iter().for_each(|block| give(&local, block));
            std::mem::forget(local);
        });
    }
    heap.flush();
    region.verify().expect("every byte is in one place");
    assert_eq!(heap.stats().shards_owned, 4, "three leaked, and this thread's");
    assert!(heap.memory_usage() <= slack(&heap), "{}", heap.stats());
    // Threads beyond the shards that are left use the shared path.
    let threads: Vec<_> = (0..16)
        .map(|seed| {
            let heap = heap.clone();
            thread::spawn(move || churn(&heap, &mut Random::seeded(0x1EB0 + seed), steps(3_000), 50))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic").into_iter().for_each(|block| give(&heap, block));
    }
    drop(heap);
    region.verify().expect("every byte is in one place");
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0), "the heap's end takes all back");
}

#[test]
fn a_stampede_on_an_empty_region_takes_what_it_needs() {
    const THREADS: usize = 64;
    for checked in [false, true] {
        let region = Region::with_capacity(4 << 20).expect("a region");
        let heap = Heap::builder().region(&region).checked(checked).build().expect("a heap");
        let (barrier, held) = (Arc::new(Barrier::new(THREADS)), Arc::new(Barrier::new(THREADS + 1)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (heap, barrier, held) = (heap.clone(), Arc::clone(&barrier), Arc::clone(&held));
                thread::spawn(move || {
                    barrier.wait();
                    let block = take(&heap, layout(1_000, 8)).expect("room for all");
                    held.wait();
                    held.wait();
                    give(&heap, block);
                })
            })
            .collect();
        held.wait();
        let (usage, peak) = (heap.memory_usage(), heap.peak_memory_usage());
        held.wait();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let most = THREADS * 1_008 + slack(&heap);
        assert!(usage <= most && peak <= most, "{usage} and {peak} of {most}");
        assert_empty(&heap);
    }
}

#[test]
fn a_heap_is_dropped_by_another_thread_than_its_users() {
    for checked in [false, true] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        for round in 0..100 {
            let heap = Heap::builder().region(&region).checked(checked).build().expect("a heap");
            let (used, last) = (Arc::new(Barrier::new(4)), Arc::new(Barrier::new(4)));
            let users: Vec<_> = (0..3)
                .map(|seed| {
                    let (heap, region) = (heap.clone(), region.clone());
                    let (used, last) = (Arc::clone(&used), Arc::clone(&last));
                    thread::spawn(move || {
                        let left = churn(&heap, &mut Random::seeded(0xD0 + seed), 200, 20);
                        left.into_iter().for_each(|block| give(&heap, block));
                        drop(heap);
                        used.wait();
                        last.wait();
                        // What this thread remembers of the dropped heap must not be taken for another's.
                        let next = Heap::in_region(&region);
                        let left = churn(&next, &mut Random::seeded(0xD9 + seed), 200, 20);
                        left.into_iter().for_each(|block| give(&next, block));
                    })
                })
                .collect();
            used.wait();
            on_a_thread(move || drop(heap));
            assert_eq!(region.memory_usage(), 0, "round {round}");
            last.wait();
            users.into_iter().for_each(|user| user.join().expect("no panic"));
        }
        region.verify().expect("every byte is in one place");
        assert_eq!((region.memory_usage(), region.stats().extents_free), (0, 1));
    }
}

#[test]
fn ten_thousand_heaps_at_one_address_never_touch_a_neighbour() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let neighbour = Heap::in_region(&region);
    let canaries: Vec<_> = (0..200).map(|i| take(&neighbour, layout(16 + i * 7, 8)).expect("room")).collect();
    let (usage, mut random) = (region.memory_usage(), Random::seeded(0x7E4));
    for round in 0..steps(10_000) {
        let own = heap(64 << 10, round % 16 == 0);
        let shared = Heap::in_region(&region);
        for one in [&own, &shared] {
            let mut block = take(one, layout(1 + random.below(3_000), 8)).expect("room");
            regrow(one, &mut block, layout(1 + random.below(9_000), 8)).expect("room");
            give(one, block);
        }
        if round % 64 == 0 {
            canaries.iter().for_each(Block::check);
            region.verify().expect("every byte is in one place");
        }
        drop(shared);
        assert_eq!(region.memory_usage(), usage, "a dropped heap leaves nothing charged");
    }
    canaries.into_iter().for_each(|canary| give(&neighbour, canary));
    assert_empty(&neighbour);
}

/// More heaps than a thread remembers, used in turn.
#[test]
fn a_thread_may_use_many_heaps_in_turn() {
    let region = Region::with_capacity(8 << 20).expect("a region");
    let heaps: Vec<_> = (0..32).map(|_| Heap::in_region(&region)).collect();
    let mut random = Random::seeded(0x3EA9);
    let mut blocks: Vec<(usize, Block)> = Vec::new();
    for _ in 0..steps(60_000) {
        let at = random.below(heaps.len());
        if random.below(2) == 0 && blocks.len() < 1_000 {
            blocks.push((at, take(&heaps[at], layout(random.below(600), 8)).expect("room")));
        } else if !blocks.is_empty() {
            let (at, block) = blocks.swap_remove(random.below(blocks.len()));
            give(&heaps[at], block);
        }
    }
    assert!(heaps.iter().all(|heap| heap.stats().shards_owned <= 1), "one thread has one shard in each");
    region.verify().expect("every byte is in one place");
    blocks.into_iter().for_each(|(at, block)| give(&heaps[at], block));
    heaps.iter().for_each(Heap::flush);
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}
