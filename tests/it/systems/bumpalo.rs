//! `bumpalo`: the names of its methods and what they do, side by side with the original; collections in an arena, which
//! threads may share; results that outlive their threads.
#![expect(unsafe_code, reason = "blocks for a layout are written by hand")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::thread;

use crate::support::{layout, steps};
use bumpalo::Bump;
use hashbrown::{DefaultHashBuilder, HashMap};
use rayon::prelude::*;
use sharded_arena::allocator_api2::vec::Vec as ArenaVec;
use sharded_arena::{Arena, BumpRegion, Scratch};

thread_local! {
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

/// Counts its drops on the thread.
#[derive(Debug, Clone, PartialEq)]
struct Counted(u32);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

impl Default for Counted {
    fn default() -> Self {
        Counted(7)
    }
}

/// A line of a transcript: what was made, and how many values were dropped meanwhile.
fn line<T: std::fmt::Debug>(name: &str, made: T) -> String {
    format!("{name}: {made:?}, {} dropped", DROPPED.take())
}

fn caught<R>(call: impl FnOnce() -> R) -> Option<u32> {
    catch_unwind(AssertUnwindSafe(call)).err().and_then(|panic| panic.downcast_ref().copied())
}

fn fails_at(bad: u32) -> impl FnMut(usize) -> Result<Counted, u32> {
    move |n| if n == bad as usize { Err(bad) } else { Ok(Counted(bad)) }
}

fn panics_at(bad: u32) -> impl FnMut(usize) -> Counted {
    move |n| if n == bad as usize { panic_any(bad) } else { Counted(bad) }
}

/// The same calls, whoever's arena it is.
macro_rules! transcripts {
    ($($name:ident => |$arena:ident| [$($call:expr),* $(,)?];)*) => {$(
        mod $name {
            use super::*;
            /// One line a call.
            macro_rules! lines {
                ($of:expr) => {{
                    let $arena = &$of;
                    DROPPED.set(0);
                    vec![$(line(stringify!($call), $call)),*]
                }};
            }
            #[test]
            fn bumpalo__names_and_semantics() {
                let expected = lines!(Bump::new());
                let (arena, fixed) = (Arena::new(), BumpRegion::with_capacity(1 << 20).expect("a region"));
                assert_eq!(lines!(arena), expected);
                assert_eq!(lines!(arena.local()), expected);
                assert_eq!(lines!(fixed), expected);
                assert_eq!(lines!(Scratch::new()), expected);
                assert_eq!(Scratch::new().scope(|scope| lines!(*scope)), expected);
            }
        }
    )*};
}

transcripts! {
    values => |arena| [
        arena.alloc(7_u64),
        arena.alloc(()),
        arena.alloc(Counted(1)),
        arena.alloc_with(|| Counted(2)),
        arena.alloc_with(|| *arena.alloc(8_u8) + *arena.alloc_with(|| 9_u8)),
        arena.alloc_try_with(|| Ok::<_, Counted>(Counted(3))),
        arena.alloc_try_with(|| Err::<[u64; 100], _>(Counted(4))),
        caught(|| arena.alloc_with(|| -> u64 { panic_any(5_u32) }).count_ones()),
        arena.try_alloc([1_u8; 3]).ok(),
        arena.try_alloc_with(|| Counted(6)).ok(),
        arena.try_alloc_try_with(|| Ok::<_, ()>(Counted(6))).ok(),
        arena.try_alloc_try_with(|| Err::<u8, _>(Counted(6))).is_err(),
        arena.alloc(3_u16) == arena.alloc(3_u16),
    ];
    strings => |arena| [
        arena.alloc_str(""),
        arena.alloc_str("naïve"),
        arena.try_alloc_str("text").ok(),
        { let text = arena.alloc_str("lower"); text.make_ascii_uppercase(); text },
    ];
    copies => |arena| [
        arena.alloc_slice_copy::<u64>(&[]),
        arena.alloc_slice_copy(&[(1_u8, 2_u32), (3, 4)]),
        arena.try_alloc_slice_copy(&[1_u16; 5]).ok(),
        arena.alloc_slice_clone(&[Counted(1), Counted(2)]),
        arena.try_alloc_slice_clone(&[String::from("one")]).ok(),
        arena.alloc_slice_fill_copy(4, 0.5_f64),
        arena.alloc_slice_fill_copy(0, 1_u8),
        arena.try_alloc_slice_fill_copy(9, ()).ok(),
        arena.try_alloc_slice_fill_copy(2, 'x').ok(),
        arena.alloc_slice_fill_clone(3, &Counted(7)),
        arena.try_alloc_slice_fill_clone(0, &Counted(7)).ok(),
        arena.alloc_slice_fill_default::<Counted>(2),
        arena.try_alloc_slice_fill_default::<String>(2).ok(),
        arena.try_alloc_slice_fill_copy(usize::MAX >> 1, 7_u64).is_err(),
        caught(|| arena.alloc_slice_fill_copy(usize::MAX, 7_u64).len()),
    ];
    made => |arena| [
        arena.alloc_slice_fill_with(5, |n| n * n),
        arena.alloc_slice_fill_with(3, |n| arena.alloc(n)),
        arena.try_alloc_slice_fill_with(2, |n| n).ok(),
        arena.alloc_slice_fill_iter([3, 1, 2].into_iter().rev()),
        arena.try_alloc_slice_fill_iter("abc".bytes().map(Some).collect::<Vec<_>>()).ok(),
        arena.alloc_slice_try_fill_with(3, fails_at(9)),
        arena.alloc_slice_try_fill_iter((0..3).map(|n| if n < 5 { Ok(Counted(n)) } else { Err(n) })),
        arena.alloc_slice_try_fill_with(3, fails_at(0)),
        caught(|| arena.alloc_slice_fill_with(3, panics_at(0)).len()),
    ];
    layouts => |arena| [
        (0..12).map(|bit| arena.alloc_layout(layout(3, 1 << bit)).addr().get() % (1 << bit)).sum::<usize>(),
        (0..8).map(|bit| arena.alloc_layout(layout(0, 1 << bit)).addr().get() % (1 << bit)).sum::<usize>(),
        arena.try_alloc_layout(layout(100, 64)).map(|block| block.addr().get() % 64).ok(),
        arena.try_alloc_layout(layout(isize::MAX as usize, 1)).is_err(),
        // SAFETY: a fresh block of four bytes.
        { let block = arena.alloc_layout(layout(4, 4)).cast::<u32>(); unsafe { block.write(7); block.read() } },
    ];
}

/// The original frees the place of a value that was not made, if it is the last; and begins a new chunk at a reset that
/// it keeps.
#[test]
fn bumpalo__memory_of_what_was_not_made_is_used_again() {
    macro_rules! strides {
        ($arena:expr) => {{
            let arena = &$arena;
            let at = || std::ptr::from_ref(arena.alloc(7_u64)).addr();
            let first = at();
            assert_eq!(arena.alloc_try_with(|| Err::<[u64; 9], _>(1)), Err(1));
            let second = at();
            let refused: Result<&mut [u64], u8> =
                arena.alloc_slice_try_fill_with(9, |n| if n < 5 { Ok(7) } else { Err(2) });
            assert_eq!(refused, Err(2));
            let third = at();
            [first - second, second - third]
        }};
    }
    assert_eq!(strides!(Bump::new()), [8, 8]);
    let (arena, fixed) = (Arena::new(), BumpRegion::with_capacity(4096).expect("a region"));
    assert_eq!((strides!(arena), strides!(arena.local()), strides!(fixed)), ([8, 8], [8, 8], [8, 8]));
    assert_eq!((strides!(Scratch::new()), fixed.remaining()), ([8, 8], 4096 - 24));
}

/// Where the original differs by design: a value that the memory was refused for comes back, and the values made before
/// a closure failed are dropped, once each, where the original forgets them.
#[test]
fn bumpalo__a_refused_value_comes_back_and_values_made_in_vain_are_dropped() {
    let (bump, arena) = (Bump::new(), Arena::with_capacity(4096).expect("an arena"));
    bump.set_allocation_limit(Some(512));
    DROPPED.set(0);
    assert!(bump.try_alloc([const { Counted(1) }; 4000]).is_err());
    assert_eq!(DROPPED.take(), 4000, "it is gone");
    let refused = arena.try_alloc([const { Counted(1) }; 4000]).expect_err("longer than the limit");
    assert_eq!((DROPPED.get(), refused.error.requested), (0, 16_000));
    drop(refused);
    assert_eq!(DROPPED.take(), 4000);
    assert_eq!(arena.alloc_slice_try_fill_with(9, fails_at(5)), Err(5));
    assert_eq!(DROPPED.take(), 5);
    assert_eq!(caught(|| arena.alloc_slice_fill_with(9, panics_at(6)).len()), Some(6));
    assert_eq!((DROPPED.take(), arena.live_bytes()), (6, 0));
}

/// The original frees everything at a reset and drops nothing.
#[test]
fn bumpalo__reset_frees_everything_and_drops_nothing() {
    let (mut bump, mut arena) = (Bump::new(), Arena::new());
    DROPPED.set(0);
    for _ in 0..50 {
        bump.alloc_slice_fill_clone(1000, &Counted(1));
        arena.alloc_slice_fill_clone(1000, &Counted(1));
        DROPPED.set(0);
        bump.reset();
        arena.reset();
        assert_eq!((DROPPED.get(), arena.live_bytes()), (0, 0));
    }
    assert!(arena.peak_memory_usage() <= 16 << 10, "{} bytes for 4,000", arena.peak_memory_usage());
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// In the original `&Bump` stays on its thread, and so does every vector in it (its issues 53 and 72).
#[test]
fn bumpalo__a_vector_is_built_on_one_thread_and_dropped_on_another() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let arena = Arena::new();
    let built = thread::scope(|scope| {
        let build = || {
            let mut texts: ArenaVec<ArenaVec<u8, &Arena>, &Arena> = ArenaVec::new_in(&arena);
            for n in 0..steps(4000) {
                let mut text = ArenaVec::new_in(&arena);
                text.extend_from_slice(n.to_string().as_bytes());
                texts.push(text);
            }
            texts
        };
        scope.spawn(build).join().expect("no panic")
    });
    is_send_and_sync(&built);
    let live = arena.live_bytes();
    thread::scope(|scope| {
        scope.spawn(|| assert!(built.iter().enumerate().all(|(n, text)| text[..] == *n.to_string().as_bytes())));
        scope.spawn(|| assert_eq!(built.len(), steps(4000)));
    });
    thread::scope(|scope| scope.spawn(move || drop(built)).join().expect("no panic"));
    assert!(live > steps(4000) * 24 && arena.live_bytes() == 0, "{live} bytes, then none");
}

/// In the original a map in an arena cannot be shared (its issue 83, and 6 of bumpalo-herd).
#[test]
fn bumpalo__a_hash_map_in_an_arena_is_shared_by_threads() {
    let arena = Arena::new();
    let words: Vec<String> = (0..steps(8000)).map(|n| format!("word {}", n % 997)).collect();
    let maps: Vec<HashMap<&str, usize, DefaultHashBuilder, &Arena>> = thread::scope(|scope| {
        let count = |part: &[String]| {
            let mut map = HashMap::new_in(&arena);
            for word in part {
                *map.entry(&*arena.alloc_str(word)).or_insert(0) += 1;
            }
            map
        };
        let threads: Vec<_> = words.chunks(words.len() / 4).map(|part| scope.spawn(move || count(part))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut oracle: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &words {
        *oracle.entry(word).or_default() += 1;
    }
    thread::scope(|scope| {
        for part in 0..4 {
            let (maps, oracle) = (&maps, &oracle);
            scope.spawn(move || {
                for (word, count) in oracle.iter().skip(part).step_by(4) {
                    assert_eq!(maps.iter().filter_map(|map| map.get(word)).sum::<usize>(), *count, "{word}");
                }
            });
        }
    });
    assert_eq!(maps.iter().flat_map(HashMap::values).sum::<usize>(), words.len());
}

#[derive(Debug, PartialEq)]
struct Row {
    number: u64,
    squares: [u64; 3],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what an iterator over numbers gives")]
fn row(number: &u64) -> Row {
    Row { number: *number, squares: [1, 2, 3].map(|power| (number + power) * (number + power)) }
}

/// In the original what a thread made must be copied out before the thread ends (its issues 53 and 83).
#[test]
fn bumpalo__results_are_used_after_their_threads_are_joined() {
    let arena = Arena::new();
    let rows: Vec<&mut Row> = thread::scope(|scope| {
        let make = |part: u64| (0..1000).map(|n| arena.alloc(row(&(part * 1000 + n)))).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|part| scope.spawn(move || make(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    for (n, found) in (0..).zip(rows) {
        assert_eq!(*found, row(&n));
        found.number = u64::MAX;
    }
}

/// In the original a pool's threads need an arena each, whose results end with the pool's job.
#[test]
fn bumpalo__results_outlive_a_thread_pool() {
    let arena = Arena::new();
    let items: Vec<u64> = (0..20_000).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
    let rows: Vec<&Row> =
        pool.install(|| items.par_iter().map_init(|| arena.local(), |l, i| &*l.alloc(row(i))).collect());
    drop(pool);
    assert_eq!(rows.len(), items.len());
    assert!(items.iter().zip(&rows).all(|(item, found)| **found == row(item)));
    assert_eq!(arena.live_bytes(), items.len() * size_of::<Row>());
}
