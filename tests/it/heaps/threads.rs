//! Many threads, short and long-lived, and the heaps they leave behind.
//!
//! Every test joins: `thread::scope` does not wait for the destructors of thread-locals.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use crate::support::{
    Block, Random, assert_empty, churn, give, give_each, heap, join_all, layout, on_a_thread, regrow, steps, take,
};
use sharded_arena::{Heap, Region};

fn slack(heap: &Heap) -> usize {
    heap.limit() / 16
}

#[test]
fn short_threads_leave_nothing_behind() {
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
            join_all(threads);
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
fn blocks_of_exited_threads_are_reused() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        for seed in 0..20 {
            let (a, b, c) = (heap.clone(), heap.clone(), heap.clone());
            let blocks = on_a_thread(move || churn(&a, &mut Random::seeded(0xA0 + seed), steps(3_000), 400));
            assert!(!blocks.is_empty());
            on_a_thread(move || give_each(&b, blocks));
            on_a_thread(move || {
                let whole = take(&c, layout(1 << 20, 16)).expect("nothing of A and B stands in the way");
                give(&c, whole);
            });
        }
        assert_empty(&heap);
    }
}

#[test]
fn free_only_thread_hoards_nothing() {
    for checked in [false, true] {
        let heap = heap(16 << 20, checked);
        let (blocks, to_free): (Sender<Vec<Block>>, Receiver<_>) = channel();
        let (done, freed) = channel();
        let freeing = {
            let heap = heap.clone();
            thread::spawn(move || {
                for batch in to_free {
                    give_each(&heap, batch);
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

#[test]
fn stampede_takes_only_needed_memory() {
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
        join_all(threads);
        let most = THREADS * 1_008 + slack(&heap);
        assert!(usage <= most && peak <= most, "{usage} and {peak} of {most}");
        assert_empty(&heap);
    }
}

#[test]
fn heap_is_dropped_by_another_thread() {
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
                        give_each(&heap, left);
                        drop(heap);
                        used.wait();
                        last.wait();
                        // What this thread remembers of the dropped heap must not be taken for another's.
                        let next = Heap::in_region(&region);
                        let left = churn(&next, &mut Random::seeded(0xD9 + seed), 200, 20);
                        give_each(&next, left);
                    })
                })
                .collect();
            used.wait();
            on_a_thread(move || drop(heap));
            assert_eq!(region.memory_usage(), 0, "round {round}");
            last.wait();
            join_all(users);
        }
        region.verify().expect("every byte is in one place");
        assert_eq!((region.memory_usage(), region.stats().extents_free), (0, 1));
    }
}

#[test]
fn heaps_reusing_an_address_are_independent() {
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
    give_each(&neighbour, canaries);
    assert_empty(&neighbour);
}

/// More heaps than a thread remembers, used in turn.
#[test]
fn thread_alternates_between_many_heaps() {
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
    for (at, block) in blocks {
        give(&heaps[at], block);
    }
    heaps.iter().for_each(Heap::flush);
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}
