//! `bitcoinleveldb_arena`: `LevelDB`'s arena of blocks, and the generator that exercises it.
#![expect(unsafe_code, reason = "fills what the arena hands out, and reads it again")]

use std::ptr::NonNull;

use crate::support::{assert_empty, give_each, layout, take};
use sharded_arena::testing::LcgRandom;
use sharded_arena::{AllocErrorKind, BlockArena, Heap, Region, UsageHandle};

/// What one block costs beside its bytes.
const POINTER: usize = size_of::<*mut u8>();
const BLOCK: usize = 4096 + POINTER;

fn at(block: NonNull<u8>) -> usize {
    block.addr().get()
}

/// The next bytes of `arena`, as many as asked.
fn next(arena: &mut BlockArena, bytes: usize) -> usize {
    at(arena.allocate(bytes).expect("room"))
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// The original's blocks are `LevelDB`'s: 4096 bytes, filled from the front without a gap and to the last byte.
#[test]
fn bitcoinleveldb_arena__blocks_of_4096_bytes() {
    assert_eq!(BlockArena::BLOCK_BYTES, 4096);
    let mut arena = BlockArena::new();
    let first = next(&mut arena, 1);
    for byte in 1..4096 {
        assert_eq!(next(&mut arena, 1), first + byte);
    }
    assert_eq!(arena.memory_usage(), BLOCK);
    next(&mut arena, 1);
    assert_eq!(arena.memory_usage(), 2 * BLOCK);
    let mut arena = BlockArena::new();
    for fourth in 1..=8 {
        next(&mut arena, 1024);
        assert_eq!(arena.memory_usage(), BLOCK * (1 + (fourth - 1) / 4), "four times 1024 are one block");
    }
}

/// In the original a request that the current block is too short for, and above 1024 bytes, has a block of exactly its
/// size, and the next small one goes on where the last ended. What the current block has room for it serves, of any
/// size.
#[test]
fn bitcoinleveldb_arena__above_1024_its_own_block_and_the_current_one_is_kept() {
    for large in [1025, 3000, 4095, 4096, 4097, 100_000] {
        let mut arena = BlockArena::new();
        next(&mut arena, large);
        assert_eq!(arena.memory_usage(), large + POINTER, "also when there is no other block");
        let first = next(&mut arena, 1000);
        for bytes in [1024, 1024, 24] {
            next(&mut arena, bytes);
        }
        let own = next(&mut arena, large);
        assert!(own < first || own >= first + 4096, "1024 bytes are left, not {large}");
        assert_eq!(arena.memory_usage(), 2 * (large + POINTER) + BLOCK);
        assert_eq!(next(&mut arena, 1024), first + 3072, "the current block goes on, to its last byte");
        assert_eq!(arena.memory_usage(), 2 * (large + POINTER) + BLOCK);
    }
    let mut arena = BlockArena::new();
    let first = next(&mut arena, 1);
    assert_eq!(next(&mut arena, 2000), first + 1, "the rest of the block is long enough");
    assert_eq!(arena.memory_usage(), BLOCK);
}

/// In the original a request of at most 1024 bytes that the rest is too short for begins a new block; the rest is lost.
#[test]
fn bitcoinleveldb_arena__else_the_tail_is_abandoned() {
    for small in [1, 2, 100, 1024] {
        let mut arena = BlockArena::new();
        let first = next(&mut arena, 1);
        let mut used = 1;
        while 4096 - used >= small {
            let bytes = (4096 - used - (small - 1)).min(1024);
            assert_eq!(next(&mut arena, bytes), first + used);
            used += bytes;
        }
        assert_eq!((4096 - used, arena.memory_usage()), (small - 1, BLOCK));
        let second = next(&mut arena, small);
        assert!(second < first || second >= first + 4096);
        assert_eq!(arena.memory_usage(), 2 * BLOCK);
        if small > 1 {
            assert_eq!(next(&mut arena, small - 1), second + small, "though the first block's rest would do");
        }
    }
}

/// The original aligns to `max(8, size of a pointer)`, and skips what that takes.
#[test]
fn bitcoinleveldb_arena__aligned_to_8_or_a_pointer() {
    let align = POINTER.max(8);
    let mut arena = BlockArena::new();
    let first = next(&mut arena, 1);
    assert_eq!(first % align, 0, "a new block is aligned");
    let mut used = 1_usize;
    for bytes in [1, 8, 3, 24, 100, 5] {
        let block = at(arena.allocate_aligned(bytes).expect("room"));
        used = used.next_multiple_of(align);
        assert_eq!((block - first, block % align), (used, 0), "no more is skipped than the alignment needs");
        used += bytes;
        assert_eq!(next(&mut arena, 1), first + used, "one behind the other");
        used += 1;
    }
    for bytes in [1025, 5000] {
        assert_eq!(at(arena.allocate_aligned(bytes).expect("room")) % align, 0);
    }
    // What is skipped counts: the last 9 bytes of a block are too few for 9 aligned ones.
    let mut arena = BlockArena::new();
    let first = next(&mut arena, 1000);
    for _ in 0..3 {
        next(&mut arena, 1024);
    }
    next(&mut arena, 24 - 9);
    let second = at(arena.allocate_aligned(9).expect("room"));
    assert!(second < first || second >= first + 4096);
    assert_eq!(arena.memory_usage(), 2 * BLOCK);
}

/// The original's figure is the sum over its blocks of their bytes and of a pointer, and 0 before the first.
#[test]
fn bitcoinleveldb_arena__usage_is_the_blocks_and_a_pointer_each() {
    let mut arena = BlockArena::default();
    assert_eq!(arena.memory_usage(), 0);
    let mut expected = 0;
    for (bytes, more) in [(1, BLOCK), (4095, 0), (1, BLOCK), (1025, 0), (3071, 3071 + POINTER), (3070, 0), (1, BLOCK)] {
        next(&mut arena, bytes);
        expected += more;
        assert_eq!(arena.memory_usage(), expected, "after {bytes} bytes");
    }
}

/// The original's own test, with `LevelDB`'s mix of sizes: what was filled is intact in the end, and a tenth is the
/// most that blocks cost beside the bytes.
#[test]
fn bitcoinleveldb_arena__100_000_allocations_stay_within_a_tenth() {
    const N: usize = 100_000;
    let (mut arena, mut random, mut allocated, mut bytes) = (BlockArena::new(), LcgRandom::new(301), Vec::new(), 0);
    assert_eq!(arena.memory_usage(), 0);
    let small = |number: u64| usize::try_from(number).expect("a small number");
    for i in 0..N {
        let size = if i % (N / 10) == 0 {
            i
        } else if random.one_in(4000) {
            small(random.uniform(6000))
        } else if random.one_in(10) {
            small(random.uniform(100))
        } else {
            small(random.uniform(20))
        };
        let size = size.max(1);
        let (aligned, byte) = (random.one_in(10), i.to_le_bytes()[0]);
        let block = if aligned { arena.allocate_aligned(size) } else { arena.allocate(size) }.expect("room");
        assert!(!aligned || at(block).is_multiple_of(POINTER.max(8)));
        // SAFETY: a fresh block of `size` bytes.
        unsafe { block.write_bytes(byte, size) };
        allocated.push((block, size));
        bytes += size;
        let usage = arena.memory_usage();
        assert!(usage >= bytes, "{usage} for {bytes} after {i}");
        assert!(i <= N / 10 || usage * 100 <= bytes * 110, "{usage} for {bytes} after {i}");
    }
    for (i, (block, size)) in allocated.into_iter().enumerate() {
        // SAFETY: `size` bytes that were filled above, and the arena lives.
        let filled = unsafe { std::slice::from_raw_parts(block.as_ptr(), size) };
        assert!(filled.iter().all(|byte| usize::from(*byte) == i % 256), "block {i} has lost its bytes");
    }
}

/// The original's generator: `seed × 6364136223846793005 + 1`, of which the upper half counts.
#[test]
fn bitcoinleveldb_arena__generator_s_constants() {
    let mut random = LcgRandom::new(1);
    let mut state = 1_u128;
    for range in [1 << 40, 2, 20, 100, 6000, 7, u64::MAX] {
        state = (state * 6_364_136_223_846_793_005 + 1) % (1 << 64);
        assert_eq!(u128::from(random.uniform(range)), (state >> 32) % u128::from(range));
    }
    state = (state * 6_364_136_223_846_793_005 + 1) % (1 << 64);
    assert_eq!(random.one_in(3), (state >> 32).is_multiple_of(3));
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// The original frees every block as if it were one byte long: undefined behaviour. Here each block returns to the
/// region as the extent it was taken as, and what others have there is untouched.
#[test]
fn bitcoinleveldb_arena__freed_with_the_layout_it_was_allocated_with() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let mut others = Vec::new();
    for round in 0..3 {
        let mut arena = BlockArena::in_region(&region);
        for i in 0..300 {
            next(&mut arena, 1 + i * 7 % 1000);
            next(&mut arena, 1025 + i * 11);
            if i % 50 == 0 {
                others.push(take(&heap, layout(100 + i, 8)).expect("room"));
            }
        }
        region.verify().expect("every byte is in one place");
        let rounding = 16 * 600;
        let (usage, own) = (region.memory_usage() - heap.memory_usage(), arena.memory_usage());
        assert!(usage <= own + rounding && usage + 600 * POINTER >= own, "{usage} for {own}");
        drop(arena);
        assert_eq!(region.memory_usage(), heap.memory_usage(), "round {round}");
        region.verify().expect("every byte is in one place");
    }
    give_each(&heap, others);
    assert_empty(&heap);
}

/// The original holds raw pointers and says nothing about them, so the compiler keeps it on one thread.
#[test]
fn bitcoinleveldb_arena__send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let mut arena = is_send(BlockArena::new());
    let usage: UsageHandle = is_shared(arena.usage_handle());
    let first = next(&mut arena, 5);
    let thread = std::thread::spawn(move || {
        let second = next(&mut arena, 5);
        (arena, second)
    });
    let (arena, second) = thread.join().expect("no panic");
    assert_eq!((second, usage.get()), (first + 5, arena.memory_usage()));
}

/// The original only asserts in debug builds that a size is not zero; a release build hands out what is not there.
#[test]
fn bitcoinleveldb_arena__zero_size_refused_in_release_too() {
    let mut arena = BlockArena::new();
    for used in [false, true] {
        let before = arena.memory_usage();
        for refused in [arena.allocate(0), arena.allocate_aligned(0)] {
            let error = refused.expect_err("zero bytes");
            assert_eq!((error.kind, error.requested), (AllocErrorKind::InvalidLayout, 0), "used: {used}");
        }
        assert_eq!(arena.memory_usage(), before);
        let first = next(&mut arena, 3);
        assert_eq!(next(&mut arena, 3), first + 3, "nothing was lost");
    }
}

/// The original formats and logs several lines for every call.
#[test]
fn bitcoinleveldb_arena__no_logging_per_call() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in ["block_arena.rs", "region/account.rs", "region/request.rs", "region/section.rs", "testing.rs"] {
        let text = std::fs::read_to_string(root.join(file)).expect("a source");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            for call in ["log::", "tracing::", "trace!", "debug!", "info!", "warn!", "print!", "println!", "format!"] {
                assert!(!line.contains(call), "{file}, code line {number}: {line}");
            }
        }
    }
}
