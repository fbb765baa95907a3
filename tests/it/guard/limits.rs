//! Guard mode at the limit: what waits in the quarantine refuses nobody, on one thread and on many, and no figure is
//! lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::spawn;

use super::assert_rest_is_quarantined;
use crate::support::{
    Block, Random, arenas::verified, fill_up, give, give_each, join_all, layout, regrow, steps, take, take_reserved,
};
use sharded_arena::{Arena, BlockArena, Heap, Interner, Region, Scratch};

fn region(capacity: usize) -> Region {
    Region::builder().capacity(capacity).guard_mode(true).build().expect("a region")
}

/// At most a quarter of the limit waits, or one extent; and all of it comes back.
fn assert_little_is_quarantined(region: &Region) {
    let stats = region.stats();
    assert!(stats.quarantined <= stats.limit / 4 || stats.extents_used == 1, "{stats}");
    assert_rest_is_quarantined(region);
}

// ---- one thread -----------------------------------------------------------------------------------------------------

/// What an interner has taken for a string that is refused after all was nobody's: it does not wait.
#[test]
fn refused_string_quarantines_nothing() {
    let region = region(1 << 20);
    let names = Interner::in_region(&region);
    // All slots of a segment: the next string needs another one.
    for n in 0..512 {
        names.intern(&format!("{n:07}")).expect("room");
    }
    let heap = Heap::in_region(&region);
    let rest = take(&heap, layout(region.limit() - region.memory_usage() - 36_000, 16)).expect("room");
    region.flush_quarantine();
    let before = (region.stats().usage, region.stats().quarantined, names.memory_usage());
    let text = "x".repeat(region.stats().largest_free - 100);
    names.intern(&text).expect_err("no room for the text and the slots");
    assert_eq!((region.stats().usage, region.stats().quarantined, names.memory_usage()), before);
    give(&heap, rest);
    assert_eq!(names.intern(&text).expect("room").index(), 512);
}

/// A request for `bytes` was refused: what waits would not have helped.
fn assert_rightly_refused(region: &Region, bytes: usize) {
    let stats = region.stats();
    let room = stats.limit - stats.usage + stats.quarantined;
    assert!(stats.quarantined == 0 || room < bytes, "{bytes} bytes were refused: {stats}");
}

/// A client of `region` that takes what it can and frees it all; says how much it got.
type Client = fn(&Region) -> usize;

fn fill_heap<const SIZE: usize>(region: &Region) -> usize {
    let heap = Heap::in_region(region);
    let blocks: Vec<Block> = std::iter::from_fn(|| take(&heap, layout(SIZE, 1)).ok()).collect();
    assert_rightly_refused(region, SIZE);
    let count = blocks.len();
    give_each(&heap, blocks);
    count
}

fn fill_arena<const SIZE: usize>(region: &Region) -> usize {
    let arena = Arena::in_region(region);
    let count = fill_up(&arena, layout(SIZE, 1)).len();
    assert_rightly_refused(region, SIZE);
    count
}

fn fill_stack(region: &Region) -> usize {
    let mut scratch = Scratch::in_region(region);
    let mut count = 0;
    for _ in 0..3 {
        let place = scratch.checkpoint();
        count += fill_up(&scratch, layout(10_000, 1)).len();
        assert_rightly_refused(region, 10_000);
        scratch.rewind(place).expect("this stack's");
    }
    count
}

fn fill_blocks(region: &Region) -> usize {
    let mut arena = BlockArena::in_region(region);
    let count = std::iter::from_fn(|| arena.allocate(3_000).ok()).count();
    assert_rightly_refused(region, 3_000);
    count
}

fn fill_reservation(region: &Region) -> usize {
    let heap = Heap::in_region(region);
    let mut reserved = region.reserve(region.limit()).expect("nothing is live");
    let block = take_reserved(&heap, &mut reserved, layout(region.limit(), 1)).expect("reserved");
    give(&heap, block);
    1
}

const CLIENTS: [Client; 11] = [
    fill_heap::<65_536>,
    fill_heap::<9_000>,
    fill_heap::<100_001>,
    fill_heap::<5_000>,
    fill_heap::<1_048_576>,
    fill_arena::<60_000>,
    fill_arena::<4_000>,
    fill_arena::<100>,
    fill_stack,
    fill_blocks,
    fill_reservation,
];

#[test]
fn quarantined_memory_is_reused_at_limit() {
    for (at, client) in CLIENTS.iter().enumerate() {
        let region = region(1 << 20);
        let first = client(&region);
        for round in 0..5 {
            let got = client(&region);
            // Where an arena's chunks end depends on when the limit begins to press.
            assert!(got > 0 && got >= first - first / 50, "round {round}: client {at} got {got}, first {first}");
        }
    }
    let used = region(1 << 20);
    let mut random = Random::seeded(0x6A2D);
    for _ in 0..steps(400) {
        let count = CLIENTS[random.below(CLIENTS.len())](&used);
        assert!(count > 0);
        used.verify().expect("every byte is in one place");
    }
    let stats = used.stats();
    assert_eq!(stats.usage, stats.quarantined, "{stats}");
}

#[test]
fn reset_arena_reuses_quarantined_memory() {
    for size in [100, 1_000, 60_000] {
        let region = region(1 << 20);
        let mut arena = Arena::in_region(&region);
        let first = fill_up(&arena, layout(size, 1)).len();
        for round in 0..50 {
            arena.reset();
            assert_eq!((arena.memory_usage(), arena.stats().leased), (0, 0), "nothing is kept readable");
            verified(&mut arena);
            let again = fill_up(&arena, layout(size, 1));
            assert!(again.len() >= first, "round {round}: {} blocks of {size} bytes, first {first}", again.len());
        }
        drop(arena);
        region.verify().expect("every byte is in one place");
    }
}

#[test]
fn quarantined_bytes_count_as_free() {
    let region = region(4 << 20);
    let heap = Heap::in_region(&region);
    let blocks: Vec<Block> = (0..8).map(|_| take(&heap, layout(128 << 10, 1)).expect("room")).collect();
    give_each(&heap, blocks);
    region.set_limit(256 << 10);
    assert_eq!(region.stats().quarantined, 1 << 20, "above the limit now");
    let block = take(&heap, layout(256 << 10, 1)).expect("all that the limit allows");
    assert_eq!(region.memory_usage(), 256 << 10);
    give(&heap, block);
}

#[test]
fn block_grows_into_quarantined_neighbours() {
    let region = region(1 << 20);
    let heap = Heap::in_region(&region);
    let mut block = take(&heap, layout(512 << 10, 1)).expect("room");
    let (upper, lower) = (layout(128 << 10, 1), layout(64 << 10, 1));
    let neighbours = [upper, lower].map(|layout| take(&heap, layout).expect("room"));
    give_each(&heap, neighbours);
    let short = heap.alloc(layout(900 << 10, 1)).expect_err("half of it is live");
    assert_eq!(short.usage, (512 + 192) << 10);
    regrow(&heap, &mut block, layout(900 << 10, 1)).expect("its neighbours wait only");
    give(&heap, block);
}

// ---- many threads ---------------------------------------------------------------------------------------------------

const SHARE: usize = 64 << 10;

/// Each of as many threads as the region has shares takes one, checks it and frees it, again and again.
fn each_has_its_share(threads: usize, rounds: usize, client: fn(&Region)) {
    let region = region(threads * SHARE);
    let run = |region: Region| move || (0..rounds).for_each(|_| client(&region));
    join_all((0..threads).map(|_| spawn(run(region.clone()))).collect());
    assert!(region.peak_memory_usage() <= region.limit());
    assert_little_is_quarantined(&region);
}

fn share_of_a_heap(region: &Region) {
    let heap = Heap::in_region(region);
    let block = take(&heap, layout(SHARE, 1)).expect("refused beside what waits");
    give(&heap, block);
}

fn share_of_an_arena(region: &Region) {
    let mut arena = Arena::in_region(region);
    for _ in 0..2 {
        // The rest is the list's node.
        take(&arena, layout(SHARE - 16, 1)).expect("refused beside what waits").check();
        arena.reset();
    }
    take(&arena, layout(SHARE - 16, 1)).expect("refused beside what waits").check();
}

fn share_of_either(region: &Region) {
    share_of_a_heap(region);
    share_of_an_arena(region);
    let mut reserved = region.reserve(SHARE).expect("refused beside what waits");
    let heap = Heap::in_region(region);
    let block = take_reserved(&heap, &mut reserved, layout(SHARE, 1)).expect("reserved");
    give(&heap, block);
}

#[test]
fn no_thread_is_refused_its_share() {
    each_has_its_share(2, steps(2_000), share_of_a_heap);
    each_has_its_share(8, steps(300), share_of_a_heap);
    each_has_its_share(2, steps(500), share_of_an_arena);
    each_has_its_share(8, steps(100), share_of_either);
}

#[test]
fn sixty_four_threads_get_their_share() {
    each_has_its_share(64, steps(120), share_of_a_heap);
    each_has_its_share(64, steps(40), share_of_either);
}

/// Takes, grows and frees long blocks of a heap and an arena in `region`; refusals are no fault.
fn churn(region: &Region, seed: u64, rounds: usize) {
    let (heap, mut arena) = (Heap::in_region(region), Arena::in_region(region));
    let mut random = Random::new(seed);
    let (mut blocks, mut filled): (Vec<Block>, Vec<Block>) = (Vec::new(), Vec::new());
    let any = |random: &mut Random| {
        let longest = [3_000, 20_000, 150_000][random.below(3)];
        layout(1 + random.below(longest), 1)
    };
    for _ in 0..rounds {
        match random.below(8) {
            0 | 1 if blocks.len() < 12 => blocks.extend(take(&heap, any(&mut random))),
            2 if !blocks.is_empty() => {
                let at = random.below(blocks.len());
                let _refused_is_fine = regrow(&heap, &mut blocks[at], any(&mut random));
            }
            3 if filled.len() < 12 => filled.extend(take(&arena, any(&mut random))),
            4 if !filled.is_empty() => give(&arena, filled.swap_remove(random.below(filled.len()))),
            5 if random.below(8) == 0 => {
                filled.drain(..).for_each(|block| block.check());
                arena.reset();
            }
            _ if !blocks.is_empty() => give(&heap, blocks.swap_remove(random.below(blocks.len()))),
            _ => {}
        }
    }
    filled.drain(..).for_each(|block| block.check());
    give_each(&heap, blocks);
}

#[test]
fn blocks_are_disjoint_at_the_limit() {
    // Less than one of them alone would take.
    let region = region(512 << 10);
    let over = Arc::new(AtomicBool::new(false));
    let watch = {
        let (region, over) = (region.clone(), Arc::clone(&over));
        spawn(move || {
            while !over.load(Ordering::Relaxed) {
                region.verify().expect("every byte is in one place");
                let stats = region.stats();
                assert!(stats.usage <= stats.limit && stats.quarantined <= stats.usage, "{stats}");
                region.trim(0);
            }
        })
    };
    let work = |seed| {
        let region = region.clone();
        spawn(move || churn(&region, seed, steps(6_000)))
    };
    join_all((0..8).map(work).collect());
    over.store(true, Ordering::Relaxed);
    join_all(vec![watch]);
    assert!(region.peak_memory_usage() > region.limit() / 4 * 3, "the limit presses");
    assert_little_is_quarantined(&region);
}

#[test]
fn reset_recovers_arena_of_many_threads() {
    let region = region(2 << 20);
    let mut arena = Arena::in_region(&region);
    for round in 0..20 {
        let fill_part = |seed: u64| {
            let mut random = Random::new(seed);
            let blocks: Vec<Block> =
                std::iter::from_fn(|| take(&arena, layout(1 + random.below(9_000), 1)).ok()).collect();
            blocks.iter().for_each(Block::check);
            blocks.len()
        };
        let counts: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|part| scope.spawn(move || fill_part(round * 4 + part))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert!(counts > 300, "{counts}");
        verified(&mut arena);
        arena.reset();
        assert_eq!(arena.memory_usage(), 0);
    }
    drop(arena);
    region.verify().expect("every byte is in one place");
    let heap = Heap::in_region(&region);
    let whole = take(&heap, layout(2 << 20, 1)).expect("all of the region");
    give(&heap, whole);
}
