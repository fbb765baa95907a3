//! `bitena`: memory of one fixed size, made at once, from which any thread takes values, slices and strings by moving
//! one atomic word down; nothing is freed alone and nothing is dropped; `reset` starts over. The original duplicates
//! the bits of a slice's initial value whatever its type, multiplies lengths unchecked, asserts (in debug builds) that
//! no type has size zero, and loses the value that it has no room for.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Barrier;

use sharded_arena::{AllocErrorKind, Arena, BumpRegion};

fn region(bytes: usize) -> BumpRegion {
    BumpRegion::with_capacity(bytes).expect("memory")
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// The original's `try_alloc` moves a value in and gives an exclusive reference.
#[test]
fn bitena__values() {
    let region = region(1024);
    let number = region.try_alloc(42u32).expect("room");
    let pair = region.try_alloc((1u8, -7i64)).expect("room");
    *number += 1;
    pair.1 *= 2;
    assert_eq!((*number, *pair), (43, (1, -14)));
}

/// The original's `try_alloc_str` copies a text; its result cannot be written, this one can.
#[test]
fn bitena__strings() {
    let region = region(64);
    let text = region.try_alloc_str("Num: 42").expect("room");
    text.make_ascii_lowercase();
    assert_eq!((&*text, region.remaining()), ("num: 42", 57));
    assert_eq!(region.try_alloc_str("").map(|text| text.len()), Ok(0));
    assert!(region.try_alloc_str(&"x".repeat(58)).is_err());
}

/// The original's `try_alloc_slice` fills a slice with one value.
#[test]
fn bitena__slices() {
    let region = region(1024);
    let zeros = region.try_alloc_slice_fill_copy(4, 0u32).expect("room");
    zeros[3] = 3;
    assert_eq!(zeros, [0, 0, 0, 3]);
    assert_eq!(region.try_alloc_slice_fill_copy(3, b'x').as_deref(), Ok(&b"xxx"[..]));
    assert_eq!(region.try_alloc_slice_fill_copy(2, (1u8, 2u64)).as_deref(), Ok(&[(1, 2), (1, 2)][..]));
}

/// The original fills every byte it can, but for the padding that alignment needs, from the end down.
#[test]
fn bitena__every_byte_usable() {
    for bytes in [16, 17, 100, 1000, 4097] {
        let region = region(bytes);
        let addresses: BTreeSet<_> =
            (0..bytes).map(|_| std::ptr::from_mut(region.try_alloc(1u8).expect("a byte is left")).addr()).collect();
        assert_eq!((addresses.len(), region.remaining()), (bytes, 0), "each byte once");
        assert_eq!(addresses.last().expect("one") - addresses.first().expect("one"), bytes - 1, "and no other");
        assert!(region.try_alloc(1u8).is_err());
    }
}

/// The original's `remaining` is the room below its word: what a request of single bytes can still get.
#[test]
fn bitena__remaining_exact() {
    crate::arenas::bump_region::remaining_is_exact();
}

/// The original's `reset` takes the region exclusively, so no result outlives it; it drops nothing.
#[test]
fn bitena__reset_needs_the_region_exclusively() {
    let takes_it_exclusively: fn(&mut BumpRegion) = BumpRegion::reset;
    let (mut region, alive) = (region(64), Rc::new(()));
    let first = std::ptr::from_mut(region.alloc(Rc::clone(&alive))).addr();
    takes_it_exclusively(&mut region);
    assert_eq!((region.remaining(), Rc::strong_count(&alive)), (64, 2), "nothing was dropped");
    assert_eq!(std::ptr::from_mut(region.alloc(1u64)).addr(), first, "the memory is used again");
}

/// The original serves any thread by one exchange of one word.
#[test]
fn bitena__any_thread() {
    let region = region(8 * 4 * 1000);
    let sum: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4usize)
            .map(|thread| {
                let region = &region;
                scope.spawn(move || {
                    let mine: Vec<&mut usize> = (0..1000).map(|n| region.alloc(thread * 1000 + n)).collect();
                    mine.iter().map(|number| **number).sum::<usize>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!((sum, region.remaining()), (4000 * 3999 / 2, 0));
}

// ---- excel ----------------------------------------------------------------------------------------------------------

/// The original copies the bits of the initial value into every slot: two owners, a use after free.
#[test]
fn bitena__values_that_own_are_not_duplicated() {
    let (region, alive) = (region(1024), Rc::new(7));
    let clones = region.alloc_slice_fill_clone(5, &alive);
    assert_eq!(Rc::strong_count(&alive), 6, "each slot is an owner, and counted");
    for slot in &mut *clones {
        *slot = Rc::new(0);
    }
    assert_eq!((Rc::strong_count(&alive), *alive), (1, 7));
    let copied = region.alloc_slice_clone(&[String::from("a"), String::from("b")]);
    copied[0].push('!');
    assert_eq!(copied.iter_mut().map(std::mem::take).collect::<String>(), "a!b");
}

/// The original multiplies length and size unchecked: 2^61 words are a slice of no bytes that reaches everywhere.
#[test]
fn bitena__a_length_that_overflows_is_an_error() {
    let region = region(1024);
    for len in [1 << 61, (1 << 61) + 1, usize::MAX] {
        let error = region.try_alloc_slice_fill_copy(len, 0u64).expect_err("no memory is so long");
        assert_eq!((error.kind, error.requested), (AllocErrorKind::InvalidLayout, len.saturating_mul(8)));
        assert_eq!(region.remaining(), 1024);
    }
}

/// The original asserts, in debug builds, that no value has size zero.
#[test]
fn bitena__zero_sized_values() {
    let region = region(16);
    let calls = Cell::new(0);
    region.alloc(());
    assert_eq!(region.alloc_slice_fill_with(100, |_| calls.set(calls.get() + 1)).len(), 100);
    assert_eq!(region.alloc_slice_fill_copy(usize::MAX, [0u64; 0]).len(), usize::MAX);
    assert_eq!((calls.get(), region.remaining()), (100, 16));
}

/// The original drops the value that it has no room for.
#[test]
fn bitena__the_value_comes_back() {
    let (region, alive) = (region(16), Rc::new(()));
    let refused = region.try_alloc((Rc::clone(&alive), [0u64; 2])).expect_err("24 of 16");
    assert_eq!(Rc::strong_count(&alive), 2);
    let (value, _) = refused.into_value();
    assert!(Rc::ptr_eq(&value, &alive));
}

/// The original's error has no figures.
#[test]
fn bitena__a_refusal_names_its_figures() {
    let region = region(32);
    region.alloc([0u8; 10]);
    let error = region.try_alloc([0u8; 30]).expect_err("30 of 22").error;
    assert_eq!((error.requested, error.align, error.usage, error.limit, error.largest_free), (30, 1, 10, 32, 22));
}

/// Where each of four threads, which begin together, finds the values it makes with `make`.
fn places(make: impl Fn(u64) -> usize + Sync) -> [Vec<usize>; 4] {
    let met = Barrier::new(4);
    std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| {
                met.wait();
                let own = (0..10_000).map(&make).collect();
                // Nobody goes on where one that has ended has left off.
                met.wait();
                own
            })
        });
        threads.map(|thread| thread.join().expect("no panic"))
    })
}

/// In the original every value of every thread is an exchange of the one word, and threads that work at the same time
/// write to the same lines. Through an `Arena` each has a chunk of its own: it goes down without a gap, whatever the
/// others do, and no line is two threads'.
#[test]
fn bitena__scales_across_threads_through_arena() {
    let at = |value: &u64| std::ptr::from_ref(value).addr();
    let arena =
        Arena::builder().capacity(256 << 20).first_chunk_bytes(128 << 10).max_shards(4).build().expect("an arena");
    let of_arena = places(|n| at(arena.alloc(n)));
    for own in &of_arena {
        assert!(own.windows(2).all(|pair| pair[0] - pair[1] == 8), "no other thread's value lies between");
    }
    let lines = |own: &Vec<usize>| own.iter().map(|place| place / 64).collect::<BTreeSet<_>>();
    let all: BTreeSet<usize> = of_arena.iter().flat_map(lines).collect();
    assert_eq!(all.len(), of_arena.iter().map(|own| lines(own).len()).sum::<usize>(), "no line is two threads'");
    // In the fixed region, which is the original's system, all are one after the other from one end to the other.
    let fixed = region(4 * 10_000 * 8);
    let mut of_region: Vec<usize> = places(|n| at(fixed.alloc(n))).concat();
    of_region.sort_unstable();
    assert!(of_region.windows(2).all(|pair| pair[1] - pair[0] == 8) && fixed.remaining() == 0);
}
