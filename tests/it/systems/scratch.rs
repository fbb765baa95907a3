//! `bump_scope`: memory freed in stages. `lake`: layouts, marks and rewinds, a lake for each thread. What must not
//! compile is in `tests/ui/`.
#![expect(unsafe_code, reason = "blocks of bytes are written and read by hand")]

use std::alloc::Layout;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::ptr::NonNull;
use std::sync::Barrier;
use std::thread;

use crate::support::{Random, layout, steps};
use sharded_arena::{AllocErrorKind, Arena, Region, RewindError, Scope, Scratch};

fn address<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

// ---- bump-scope: match exactly --------------------------------------------------------------------------------------

/// Scopes in scopes, two at each depth; every block is whole when the scopes below it have ended.
fn nested(scope: &mut Scope<'_>, depth: usize, random: &mut Random) {
    let own = scope.alloc_slice_fill_copy(1 + random.below(3000), depth);
    let more = scope.alloc_slice_fill_copy(random.below(50), !depth);
    for _ in 0..if depth > 0 { 2 } else { 0 } {
        scope.scope(|inner| nested(inner, depth - 1, random));
    }
    scope.alloc_slice_fill_copy(random.below(50), 0x55_u8);
    assert!(own.iter().all(|found| *found == depth) && more.iter().all(|found| *found == !depth));
}

/// The original's scopes go back to where they began when they end.
#[test]
fn bump_scope__nested_scopes() {
    let region = Region::with_capacity(64 << 20).expect("a region");
    let mut scratch = Scratch::in_region(&region);
    let mut random = Random::seeded(0xB5C);
    let before = address(scratch.alloc(7_u64));
    for outer in 1..4 {
        let inner = scratch.scope(|scope| {
            assert_eq!(address(scope.alloc(8_u64)), before - 8, "scope {outer} begins where the last one did");
            [(); 3].map(|()| scope.scope(|inner| address(inner.alloc(9_u64))))
        });
        assert_eq!(inner, [before - 16; 3]);
    }
    for _ in 0..20 {
        scratch.scope(|scope| nested(scope, 5, &mut random));
        assert_eq!(scratch.live_bytes(), 8);
    }
    let (deep, peak) = (6 * (3000 * 8 + 450), region.peak_memory_usage());
    assert!(peak <= 3 * deep, "{peak} bytes for six scopes of {deep} at most");
    assert!(scratch.memory_usage() <= deep, "all but one chunk went back");
    drop(scratch);
    assert_eq!(region.memory_usage(), 0);
}

/// The original's checkpoint is a place to which the arena may go back, more than once.
#[test]
fn bump_scope__checkpoints() {
    let mut scratch = Scratch::new();
    scratch.alloc_str("before all");
    let mut places = Vec::new();
    for n in 0..20_usize {
        places.push((scratch.checkpoint(), scratch.live_bytes()));
        scratch.alloc_slice_fill_copy(100 * n, 0_u8);
    }
    while let Some((place, live)) = places.pop() {
        let at = [(); 2].map(|()| {
            assert_eq!(scratch.rewind(place), Ok(()));
            assert_eq!(scratch.live_bytes(), live);
            address(scratch.alloc_slice_fill_copy(90_000, 7_u8))
        });
        assert_eq!(at[0], at[1], "the same memory after each rewind");
    }
    assert_eq!(scratch.live_bytes(), 10 + 90_000);
}

// ---- bump-scope: better than the original ---------------------------------------------------------------------------

/// In the original a reset to a checkpoint is unsafe: of another arena, or of a time that was undone, it is undefined.
#[test]
fn bump_scope__foreign_or_stale_checkpoint_is_an_error() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let [mut scratch, mut other] = [(); 2].map(|()| Scratch::in_region(&region));
    let unchanged = |scratch: &mut Scratch, place, error| {
        let number = address(scratch.alloc(7_u64));
        let figures = (scratch.live_bytes(), scratch.memory_usage(), region.memory_usage());
        assert_eq!(scratch.rewind(place), Err(error));
        assert_eq!((scratch.live_bytes(), scratch.memory_usage(), region.memory_usage()), figures);
        assert_eq!(address(scratch.alloc(8_u64)), number - 8, "the next block, as if nothing was asked");
    };
    let first = scratch.checkpoint();
    unchanged(&mut other, first, RewindError::Foreign);
    scratch.alloc(1_u8);
    let second = scratch.checkpoint();
    scratch.alloc(2_u8);
    assert_eq!(scratch.rewind(first), Ok(()));
    unchanged(&mut scratch, second, RewindError::OutOfOrder);
    let third = scratch.checkpoint();
    assert_eq!((scratch.rewind(third), scratch.rewind(first), scratch.rewind(first)), (Ok(()), Ok(()), Ok(())));
    unchanged(&mut scratch, third, RewindError::OutOfOrder);
    scratch.reset();
    let after = scratch.checkpoint();
    for stale in [first, second, third] {
        unchanged(&mut scratch, stale, RewindError::Stale);
    }
    assert_eq!(scratch.rewind(after), Ok(()));
    drop(scratch);
    let mut scratch = Scratch::in_region(&region);
    unchanged(&mut scratch, after, RewindError::Foreign);
}

/// Numbers that would be equal if checkpoints were told apart by place alone.
#[test]
fn bump_scope__a_checkpoint_is_not_its_place() {
    let mut scratch = Scratch::new();
    let outer = scratch.checkpoint();
    let undone: Vec<_> = (0..50).map(|_| scratch.checkpoint()).collect();
    assert_eq!(scratch.rewind(outer), Ok(()));
    let valid: Vec<_> = (0..50).map(|_| scratch.checkpoint()).collect();
    assert!(undone.iter().all(|place| scratch.rewind(*place) == Err(RewindError::OutOfOrder)));
    assert!(valid.iter().rev().all(|place| scratch.rewind(*place) == Ok(())));
}

/// The original's closures end with the scope's memory in use when they panic.
#[test]
fn bump_scope__a_panic_unwinds_the_scope() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let mut scratch = Scratch::in_region(&region);
    scratch.alloc_str("stays");
    for depth in 0..4 {
        for bytes in [1, 5000, 300_000] {
            fn dive(scope: &mut Scope<'_>, depth: usize, bytes: usize) {
                scope.alloc_slice_fill_copy(bytes, 7_u8);
                if depth == 0 {
                    panic_any(bytes);
                }
                scope.scope(|inner| dive(inner, depth - 1, bytes));
            }
            let panic = catch_unwind(AssertUnwindSafe(|| scratch.scope(|scope| dive(scope, depth, bytes))));
            assert_eq!(panic.expect_err("it panics").downcast_ref(), Some(&bytes));
            assert_eq!((scratch.live_bytes(), scratch.memory_usage()), (5, region.memory_usage()));
        }
    }
    drop(scratch);
    let outer = Scratch::in_region(&region).scope(|scope| {
        let number = scope.alloc(7_u64);
        let caught = catch_unwind(AssertUnwindSafe(|| scope.scope(|inner| panic_any(*inner.alloc(8_u64)))));
        assert!(caught.is_err());
        address(scope.alloc(9_u64)) == address(number) - 8 && *number == 7
    });
    assert!(outer, "the inner scope's block was free again, the outer one's not");
    region.verify().expect("every byte is in one place");
}

/// The original's arenas are one thread's; its pool hands whole arenas to threads under a lock.
#[test]
fn bump_scope__scopes_on_every_thread_of_a_shared_arena() {
    let mut arena = Arena::with_capacity(64 << 20).expect("an arena");
    let met = Barrier::new(4);
    thread::scope(|threads| {
        for seed in 0..4 {
            let (arena, met) = (&arena, &met);
            threads.spawn(move || {
                met.wait();
                let mut random = Random::new(0xB5D + seed);
                for n in 0..steps(400) {
                    let kept = arena.alloc(n);
                    let mut scratch = arena.scratch();
                    scratch.scope(|scope| nested(scope, 4, &mut random));
                    assert_eq!((scratch.live_bytes(), *kept), (0, n));
                }
            });
        }
    });
    let stats = arena.stats();
    assert_eq!(stats.live_bytes, 4 * steps(400) * size_of::<usize>(), "{stats}");
    arena.reset();
    arena.trim(0);
    arena.verify().expect("all extents are on its lists");
    assert_eq!(arena.memory_usage(), 0);
}

// ---- lake: match exactly --------------------------------------------------------------------------------------------

/// Fills a block, which must be aligned and nobody else's.
fn fill(ptr: NonNull<u8>, layout: Layout, byte: u8) {
    assert_eq!(ptr.addr().get() % layout.align(), 0, "{layout:?}");
    // SAFETY: a fresh block of that length.
    unsafe { ptr.write_bytes(byte, layout.size()) };
}

fn holds(ptr: NonNull<u8>, layout: Layout, byte: u8) -> bool {
    // SAFETY: a live block of that length, filled when it was handed out.
    let bytes = unsafe { std::slice::from_raw_parts(ptr.as_ptr(), layout.size()) };
    bytes.iter().all(|found| *found == byte)
}

/// The original rewinds a lake to a mark; what came before the mark stays.
#[test]
fn lake__marks_and_rewinds() {
    let mut scratch = Scratch::new();
    let mut random = Random::seeded(0x1A);
    let any = |random: &mut Random| layout(1 + random.below(6000), 1 << random.below(8));
    let mut marks = Vec::new();
    let mut blocks: Vec<(NonNull<u8>, Layout, u8)> = Vec::new();
    for step in 0..steps(20_000) {
        match random.below(20) {
            0 => marks.push((scratch.checkpoint(), blocks.len(), scratch.live_bytes())),
            1 if !marks.is_empty() => {
                let (mark, len, live) = marks[random.below(marks.len())];
                assert_eq!(scratch.rewind(mark), Ok(()));
                assert_eq!(scratch.live_bytes(), live, "step {step}");
                blocks.truncate(len);
                marks.retain(|(_, kept, _)| *kept <= len);
            }
            _ => {
                let (layout, byte) = (any(&mut random), u8::try_from(step % 256).expect("a byte"));
                let block = scratch.alloc_layout(layout);
                fill(block, layout, byte);
                blocks.push((block, layout, byte));
            }
        }
        // Marks at one place are in order too: the later ones are undone.
        if marks.len() > 1 && marks[marks.len() - 1].1 == marks[marks.len() - 2].1 {
            marks.pop();
        }
    }
    assert!(blocks.iter().all(|(ptr, layout, byte)| holds(*ptr, *layout, *byte)), "what came before the marks stays");
}

/// The original's lake of a thread begins with its first use there; a lake may be used while it is being used.
#[test]
fn lake__per_thread_without_an_init_call_and_re_entrant() {
    let arena = Arena::new();
    thread::scope(|threads| {
        for thread in 0..4_usize {
            let arena = &arena;
            threads.spawn(move || {
                // A lake that is lent while others are is another one.
                let (outer, inner) = (arena.scratch(), arena.scratch());
                let numbers = outer.alloc_slice_fill_with(100, |n| {
                    let again = arena.scratch();
                    let (lent, own) = (inner.alloc(n + 1), again.alloc(n));
                    assert_eq!(*arena.local().alloc_with(|| *arena.local().alloc(thread)), thread);
                    *lent + *own
                });
                assert!(numbers.iter().enumerate().all(|(n, found)| *found == 2 * n + 1));
                assert_eq!((outer.live_bytes(), inner.live_bytes()), (800, 800));
                let first = address(numbers);
                drop(outer);
                assert_eq!(
                    address(arena.scratch().alloc_slice_fill_copy(100, 7_usize)),
                    first,
                    "the lake is lent again"
                );
            });
        }
    });
}

// ---- lake: better than the original ---------------------------------------------------------------------------------

/// In the original a block for a layout is not aligned as it says, and may dangle, from safe functions.
#[test]
fn lake__alloc_layout_gives_aligned_and_valid_memory() {
    let (arena, scratch) = (Arena::new(), Scratch::new());
    let local = arena.local();
    let allocate: [&dyn Fn(Layout) -> NonNull<u8>; 3] =
        [&|layout| arena.alloc_layout(layout), &|layout| local.alloc_layout(layout), &|layout| {
            scratch.alloc_layout(layout)
        }];
    let mut blocks = Vec::new();
    for (n, alloc) in (0_u8..).zip(allocate) {
        for align in (0..=16).map(|bit| 1 << bit) {
            for size in [0, 1, align - 1, align, align + 1, 5000] {
                let layout = layout(size, align);
                let (block, byte) = (alloc(layout), n * 60 + u8::try_from(blocks.len() % 60).expect("a byte"));
                fill(block, layout, byte);
                blocks.push((block, layout, byte));
            }
        }
    }
    assert!(blocks.iter().all(|(ptr, layout, byte)| holds(*ptr, *layout, *byte)), "no block lies over another");
    let too_long = scratch.try_alloc_layout(layout(isize::MAX as usize, 1)).expect_err("longer than any memory");
    assert_ne!(too_long.kind, AllocErrorKind::Fragmented);
    assert!(blocks.iter().all(|(ptr, layout, byte)| holds(*ptr, *layout, *byte)), "a refusal changes nothing");
}

/// In the original a stage that fails leaves what it took; here the caller's answer decides.
#[test]
fn lake__stage_keeps_on_ok_and_undoes_on_err() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let mut scratch = Scratch::in_region(&region);
    for bytes in [10_usize, 5_000, 500_000] {
        let (live, usage) = (scratch.live_bytes(), scratch.memory_usage());
        let undone: Result<&mut u64, usize> = scratch.stage(|stage| {
            let block = stage.alloc_slice_fill_copy(bytes, 7_u8);
            Err(block.len())
        });
        assert_eq!(undone, Err(bytes));
        assert_eq!(scratch.live_bytes(), live);
        assert!(scratch.memory_usage() <= usage + (64 << 10), "but for a spare chunk");
        let kept: Result<&mut [u8], ()> = scratch.stage(|stage| {
            stage.alloc(0_u64);
            let inner: Result<&mut u64, ()> = stage.stage(|_| Err(()));
            assert_eq!(inner, Err(()));
            stage.stage(|inner| Ok(inner.alloc_slice_fill_copy(bytes, 8_u8)))
        });
        assert!(kept.expect("it gives Ok").iter().all(|byte| *byte == 8));
        assert_eq!(scratch.live_bytes(), live + bytes + 8, "all of the stage is kept");
        let live = scratch.live_bytes();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _ = scratch.stage::<u8, ()>(|stage| panic_any(*stage.alloc(7_u64)));
        }));
        assert_eq!((panic.is_err(), scratch.live_bytes()), (true, live), "a panic undoes too");
    }
    region.verify().expect("every byte is in one place");
}
