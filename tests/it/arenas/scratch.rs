//! Scratch stacks: checkpoints, scopes and stages in every order, stacks that change places, and what they leave
//! behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use crate::support::{
    Block, Random,
    arenas::{assert_all_returns, verified},
    bytes_of, check_disjoint, fill_up, layout, panic_text, quietly, steps, take,
};
use sharded_arena::{Arena, Region, RewindError, Scope, Scratch};

#[test]
fn invalid_rewinds_change_nothing() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let (mut one, mut other) = (Scratch::in_region(&region), Scratch::in_region(&region));
    let start = one.checkpoint();
    let first = take(&one, layout(100, 8)).expect("room");
    let middle = one.checkpoint();
    let twin = one.checkpoint();
    let second = take(&one, layout(50_000, 8)).expect("room");
    let last = one.checkpoint();
    let figures = |stack: &Scratch| (stack.memory_usage(), stack.live_bytes(), region.memory_usage());
    let before = figures(&one);
    assert_eq!(other.rewind(middle), Err(RewindError::Foreign));
    assert_eq!(figures(&one), before);
    check_disjoint(&[first, second]);
    assert_eq!(one.rewind(last), Ok(()), "the last one, as often as one likes");
    assert_eq!((one.rewind(last), figures(&one)), (Ok(()), before));
    assert_eq!((one.rewind(middle), one.live_bytes()), (Ok(()), 100));
    assert_eq!(one.rewind(last), Err(RewindError::OutOfOrder));
    assert_eq!(one.rewind(twin), Err(RewindError::OutOfOrder), "made after it, though at the same place");
    let later = one.checkpoint();
    take(&one, layout(3_000, 8)).expect("room");
    assert_eq!(
        (one.rewind(later), one.rewind(middle), one.rewind(later)),
        (Ok(()), Ok(()), Err(RewindError::OutOfOrder))
    );
    assert_eq!((one.rewind(start), one.live_bytes()), (Ok(()), 0));
    one.reset();
    for stale in [start, middle, last, later] {
        assert_eq!(one.rewind(stale), Err(RewindError::Stale));
    }
    // Its own checkpoint moves along with a stack; a place in the memory does not.
    let mine = other.checkpoint();
    std::mem::swap(&mut one, &mut other);
    assert_eq!((one.rewind(mine), other.rewind(mine)), (Ok(()), Err(RewindError::Foreign)));
    region.verify().expect("every byte is in one place");
}

/// Checkpoints and rewinds at random against a model that keeps the live blocks of every checkpoint.
#[test]
fn random_checkpoints_agree_with_model() {
    for capacity in [8 << 10, 64 << 10, 4 << 20] {
        let region = Region::with_capacity(capacity).expect("a region");
        let mut scratch = Scratch::in_region(&region);
        let mut random = Random::seeded(0x5C4A + capacity as u64);
        // Blocks; checkpoints with the number of blocks they keep, and whether they hold.
        let mut blocks: Vec<Block> = Vec::new();
        let mut marks = Vec::new();
        for step in 0..steps(12_000) {
            match random.below(12) {
                0..6 => {
                    let most = [20, 300, 3_000, 20_000][random.below(4)];
                    blocks.extend(take(&scratch, layout(1 + random.below(most), 1 << random.below(8))));
                }
                6 => marks.push((scratch.checkpoint(), blocks.len(), true)),
                7 | 8 if !marks.is_empty() => {
                    let at = random.below(marks.len());
                    let (mark, kept, holds) = marks[at];
                    assert_eq!(scratch.rewind(mark).is_ok(), holds);
                    if holds {
                        blocks.truncate(kept);
                        marks[at + 1..].iter_mut().for_each(|mark| mark.2 = false);
                    }
                }
                9 => scratch.scope(|scope| {
                    let inner: Vec<_> = (0..20).filter_map(|_| take(scope, layout(700, 8)).ok()).collect();
                    scope.scope(|scope| drop(fill_up(scope, layout(5_000, 8))));
                    check_disjoint(&inner);
                }),
                10 if step % 5 == 0 => {
                    let keeps = random.below(2) == 0;
                    let before = scratch.live_bytes();
                    let answer = scratch.stage(|stage| {
                        let text = stage.try_alloc_slice_fill_copy(1_000, 7_u8).map_err(drop)?;
                        if keeps { Ok(text) } else { Err(()) }
                    });
                    match answer {
                        Ok(text) => assert!(text.iter().all(|byte| *byte == 7)),
                        Err(()) => assert_eq!(scratch.live_bytes(), before),
                    }
                    // What was kept has no name any more.
                    marks.push((scratch.checkpoint(), blocks.len(), true));
                }
                11 if step % 400 == 0 => {
                    scratch.reset();
                    blocks.clear();
                    for (mark, ..) in marks.drain(..) {
                        assert_eq!(scratch.rewind(mark), Err(RewindError::Stale));
                    }
                }
                _ => {}
            }
            assert_eq!(scratch.memory_usage(), region.memory_usage());
            assert!(region.stats().leased <= capacity / 16);
            if step % 64 == 0 {
                check_disjoint(&blocks);
                region.verify().expect("every byte is in one place");
            }
        }
        drop(scratch);
        assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
    }
}

#[test]
fn repeated_stages_use_constant_memory() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let mut scratch = Scratch::in_region(&region);
    take(&scratch, layout(3_000, 8)).expect("room");
    let mut usage = 0;
    for round in 0..steps(10_000) {
        let place = scratch.checkpoint();
        take(&scratch, layout(700, 8)).expect("room");
        scratch.scope(|scope| {
            // Another chunk each time, and an extent of its own.
            for _ in 0..10 {
                take(scope, layout(700, 8)).expect("room");
            }
            take(scope, layout(30_000, 8)).expect("room");
        });
        assert_eq!(
            scratch.stage::<u8, _>(|stage| take(stage, layout(900, 8))
                .map(|_| ())
                .and(Ok(()))
                .map_or(Err(1), |()| Err(2))),
            Err(2)
        );
        scratch.rewind(place).expect("its own");
        assert_eq!(scratch.live_bytes(), 3_000);
        if round == 10 {
            usage = region.memory_usage();
        }
        assert!(round < 10 || region.memory_usage() == usage, "round {round}: {} after {usage}", region.memory_usage());
    }
    assert!(usage <= 3_016 + 3 * 8_192, "a chunk and a spare one: {usage}");
}

/// Goes down `depth` scopes, fills one block each, panics at depth `panic_at`.
fn nested(scope: &mut Scope<'_>, depth: usize, panic_at: usize) {
    let block = take(scope, layout(1 + depth * 13 % 900, 8)).expect("room");
    assert!(depth != panic_at, "as the test wants");
    if depth < 100 {
        scope.scope(|scope| nested(scope, depth + 1, panic_at));
        let kept: Result<&mut [u8], ()> = scope.stage(|stage| Ok(stage.alloc_slice_copy(b"kept")));
        assert_eq!(kept.expect("kept"), b"kept");
    }
    block.check();
}

#[test]
fn panics_unwind_nested_scopes() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut scratch = Scratch::in_region(&region);
    let outer = take(&scratch, layout(2_000, 8)).expect("room");
    for panic_at in 0..=101 {
        let run = || scratch.scope(|scope| nested(scope, 0, panic_at));
        let panicked = catch_unwind(AssertUnwindSafe(|| quietly(run))).is_err();
        assert_eq!(panicked, panic_at <= 100);
        let staged = || {
            let undone = scratch.stage::<u8, ()>(|stage| {
                nested(stage, 90, panic_at.max(90));
                panic!("after {panic_at}")
            });
            undone.is_ok()
        };
        quietly(|| panic_text(staged));
        assert_eq!(scratch.live_bytes(), 2_000, "depth {panic_at}");
        outer.check();
        region.verify().expect("every byte is in one place");
    }
    drop(scratch);
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}

#[test]
fn stage_keeps_on_ok_and_undoes() {
    let mut scratch = Scratch::with_capacity(1 << 20).expect("a stack");
    let (mut live, mut usage) = (0, scratch.memory_usage());
    for len in [1, 100, 5_000, 100_000] {
        let refused = scratch.stage(|stage| {
            stage.alloc_slice_fill_copy(len, 1_u8);
            stage.alloc_slice_fill_copy(len, 2_u8).first_mut().filter(|_| false).ok_or("refused")
        });
        assert_eq!(refused, Err("refused"));
        assert_eq!(scratch.live_bytes(), live);
        let kept = scratch.stage::<_, ()>(|stage| {
            stage.alloc_slice_fill_copy(len, 3_u8);
            stage.scope(|scope| take(scope, layout(10_000, 8)).expect("room").check());
            Ok(stage.alloc_slice_fill_copy(len, 4_u8))
        });
        assert!(kept.expect("kept").iter().all(|byte| *byte == 4));
        live += 2 * len;
        assert_eq!(scratch.live_bytes(), live);
        assert!(scratch.memory_usage() >= live.max(usage));
        usage = scratch.memory_usage();
    }
}

#[test]
fn guards_of_one_thread_are_independent() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    let (used, checked) = (Barrier::new(4), Barrier::new(4));
    thread::scope(|scope| {
        for _ in 0..3 {
            let (arena, used, checked) = (&arena, &used, &checked);
            scope.spawn(move || {
                for _ in 0..20 {
                    let mut guards: Vec<_> = (0..7).map(|_| arena.scratch()).collect();
                    let mut blocks = Vec::new();
                    for n in 0..56 {
                        blocks.push(take(&*guards[n % 7], layout(1 + n * 31, 8)).expect("room"));
                    }
                    check_disjoint(&blocks);
                    // Given back in another order than they were lent.
                    guards.swap(0, 5);
                    let first = guards.remove(2);
                    drop(guards);
                    assert!(first.live_bytes() > 0);
                    drop(first);
                    used.wait();
                    checked.wait();
                }
            });
        }
        for round in 0..20 {
            used.wait();
            let stats = arena.stats();
            checked.wait();
            assert_eq!((stats.scratch_bytes, stats.live_bytes), (stats.usage, 0), "stacks are not counted");
            assert!(stats.usage <= 3 * 7 * 16_384, "round {round}: {stats}");
        }
    });
    verified(&mut arena);
    assert_all_returns(&mut arena, &region);
}

#[test]
fn stacks_can_be_swapped() {
    let (first, second) =
        (Region::with_capacity(1 << 20).expect("a region"), Region::with_capacity(1 << 20).expect("a region"));
    for round in 0..4 {
        let (mut one, mut two) = (Arena::in_region(&first), Arena::in_region(&second));
        let taken = {
            let (mut a, mut b) = (one.scratch(), two.scratch());
            let mut blocks = vec![take(&*a, layout(9_000, 8)).expect("room"), take(&*b, layout(100, 8)).expect("room")];
            std::mem::swap(&mut *a, &mut *b);
            blocks.push(take(&*a, layout(50, 8)).expect("room"));
            assert_eq!((a.live_bytes(), b.live_bytes()), (150, 9_000));
            check_disjoint(&blocks);
            match round {
                0 => None,
                1 => Some(std::mem::replace(&mut *a, Scratch::new())),
                2 => Some(std::mem::take(&mut *b)),
                _ => {
                    std::mem::forget(a);
                    None
                }
            }
        };
        // The next ones are of the right arena again.
        if round != 3 {
            let again = one.scratch();
            take(&*again, layout(100, 8)).expect("room");
            assert!(one.stats().scratch_bytes >= again.memory_usage() && again.memory_usage() > 0);
            drop(again);
        }
        verified(&mut one);
        verified(&mut two);
        if let Some(mut taken) = taken {
            // It is still charged to its arena, and outlives it, on another thread.
            let live = taken.live_bytes();
            assert!(live > 0 && first.memory_usage() + second.memory_usage() >= live);
            one.trim(0);
            two.trim(0);
            verified(&mut one);
            verified(&mut two);
            drop((one, two));
            let used = thread::spawn(move || {
                let block = take(&taken, layout(20_000, 8)).expect("room");
                taken.scope(|scope| assert!(!fill_up(scope, layout(30_000, 8)).is_empty()));
                block.check();
                assert_eq!(taken.live_bytes(), live + 20_000);
            });
            used.join().expect("no panic");
        } else {
            one.trim(0);
            two.trim(0);
            verified(&mut one);
            verified(&mut two);
            drop((one, two));
        }
        for region in [&first, &second] {
            region.verify().expect("every byte is in one place");
            assert_eq!((region.memory_usage(), region.stats().leased), (0, 0), "round {round}");
        }
    }
}

#[test]
fn used_stack_moves_between_threads() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut scratch = Scratch::in_region(&region);
    let mut blocks = Vec::new();
    let mut marks = Vec::new();
    for n in 0..20 {
        marks.push((scratch.checkpoint(), blocks.len()));
        blocks.push(take(&scratch, layout(n * 300, 8)).expect("room"));
        (scratch, blocks) = thread::spawn(move || {
            blocks.extend((0..30).map(|n| take(&scratch, layout(n * 9, 8)).expect("room")));
            (scratch, blocks)
        })
        .join()
        .expect("no panic");
        assert_eq!(scratch.live_bytes(), bytes_of(&blocks));
    }
    check_disjoint(&blocks);
    while let Some((mark, kept)) = marks.pop() {
        scratch.rewind(mark).expect("its own");
        blocks.truncate(kept);
        check_disjoint(&blocks);
        assert_eq!(scratch.live_bytes(), bytes_of(&blocks));
    }
    thread::spawn(move || drop(scratch)).join().expect("no panic");
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}

#[test]
fn recycled_stack_keeps_memory_until_pressure() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    let address = |arena: &Arena| {
        let scratch = arena.scratch();
        (take(&*scratch, layout(64, 8)).expect("room").ptr(), scratch.memory_usage())
    };
    let (first, held) = address(&arena);
    assert_eq!((address(&arena), arena.memory_usage()), ((first, held), held), "the same chunk");
    let blocks = fill_up(&arena, layout(1_000, 8));
    drop(arena.scratch());
    assert_eq!(arena.stats().scratch_bytes, 0, "under pressure nothing is kept: {}", arena.stats());
    check_disjoint(&blocks);
    verified(&mut arena);
    assert_all_returns(&mut arena, &region);
}
