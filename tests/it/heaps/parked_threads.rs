//! How much of a limit one thread can hold while 64 others are parked with what they have cached.

use crate::support::{Block, assert_empty, give_all, give_each, heap, join_all, layout, take};
use std::sync::{Arc, Barrier};
use std::thread;

const THREADS: usize = 64;
const CAPACITY: usize = 32 << 20;

/// The share of the limit that one thread holds in blocks of `size` bytes when it is refused.
fn held_share(size: usize, checked: bool) -> f64 {
    let heap = heap(CAPACITY, checked);
    let (cached, end) = (Arc::new(Barrier::new(THREADS + 1)), Arc::new(Barrier::new(THREADS + 1)));
    let parked: Vec<_> = (0..THREADS)
        .map(|_| {
            let (heap, cached, end) = (heap.clone(), Arc::clone(&cached), Arc::clone(&end));
            thread::spawn(move || {
                for round in 0..20 {
                    for size in [24, 600, 3_000, 8_000] {
                        let count = if round % 2 == 0 { 1 } else { 8 };
                        let blocks: Vec<_> = (0..count).map(|_| take(&heap, layout(size, 8)).expect("room")).collect();
                        give_each(&heap, blocks);
                    }
                }
                cached.wait();
                end.wait();
            })
        })
        .collect();
    cached.wait();
    let idle = heap.memory_usage();
    let blocks: Vec<Block> = std::iter::from_fn(|| take(&heap, layout(size, 8)).ok()).collect();
    let held = blocks.iter().map(Block::size).sum::<usize>();
    assert!(heap.memory_usage() <= CAPACITY);
    heap.region().verify().expect("every byte is in one place");
    end.wait();
    join_all(parked);
    give_all(&heap, blocks);
    assert_empty(&heap);
    #[expect(clippy::cast_precision_loss, reason = "a share, to three places")]
    let share = held as f64 / CAPACITY as f64;
    eprintln!("checked {checked}: {share:.3} of the limit held in blocks of {size}, {idle} bytes idle before");
    share
}

#[test]
fn parked_threads_leave_memory_to_others() {
    for checked in [false, true] {
        assert!(held_share(1_024, checked) >= 0.92);
        assert!(held_share(600, checked) >= 0.90);
    }
}
