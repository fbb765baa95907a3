//! Errors: their texts, what they carry, and what lies behind them.
#![expect(unsafe_code, reason = "regions over bytes that are too few, or made up")]

use std::error::Error;

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::support::layout;
use sharded_arena::{
    AllocError, AllocOrInitError, AllocValueError, Arena, BestFitArena, BlockArena, BumpRegion, Heap, Interner,
    LimitOwner, Pool, Region, RegionError, RewindError, Scratch,
};

/// Neither `Debug` nor `Display`.
struct Opaque([u64; 3]);

fn refused() -> AllocValueError<Opaque> {
    let region = BumpRegion::with_capacity(16).expect("memory");
    region.try_alloc(Opaque([1, 2, 3])).map(|_| ()).expect_err("24 of 16")
}

#[test]
fn alloc_error_carries_the_value() {
    let error = refused();
    let text = "limit reached: 24 bytes (alignment 8) asked for, 0 of the region's 16 bytes in use, longest free range \
                16 bytes";
    assert_eq!((error.to_string(), error.error.to_string()), (text.into(), text.into()));
    assert!(format!("{error:?}").starts_with("AllocValueError { error: AllocError { requested: 24"));
    assert_eq!(error.source().and_then(|source| source.downcast_ref::<AllocError>()), Some(&error.error));
    assert_eq!(error.into_value().0, [1, 2, 3]);
}

#[test]
fn init_error_is_memory_or_value() {
    let from = AllocOrInitError::<std::num::ParseIntError>::from(refused().error);
    assert!(matches!(from, AllocOrInitError::Alloc(error) if error.requested == 24));
    assert_eq!(from.to_string(), refused().to_string());
    assert!(from.source().is_some_and(<dyn Error>::is::<AllocError>));
    let own = "x".parse::<u8>().map_err(AllocOrInitError::Init).expect_err("no number");
    assert_eq!(own.to_string(), "the value could not be made: invalid digit found in string");
    assert!(own.source().is_some_and(<dyn Error>::is::<std::num::ParseIntError>));
    assert_ne!(from, own);
}

#[test]
fn rewind_errors_name_the_cause() {
    let texts = [RewindError::Foreign, RewindError::Stale, RewindError::OutOfOrder].map(|error| error.to_string());
    let ends = ["another scratch stack's", "reset since the checkpoint was made", "rewound to before the checkpoint"];
    for (text, end) in texts.iter().zip(ends) {
        assert!(text.starts_with("invalid rewind: ") && text.ends_with(end), "{text}");
    }
}

/// The limit that refused is named, whichever client asked: its own, or its region's.
#[test]
fn limit_errors_name_the_owner() {
    let region = Region::builder().capacity(1 << 20).limit(256 << 10).build().expect("memory");
    let heap = Heap::builder().region(&region).limit(64 << 10).build().expect("a heap");
    let arena = Arena::builder().region(&region).limit(128 << 10).build().expect("an arena");
    let limit_text = |bytes: usize, owner: &str, limit: usize| {
        format!(
            "limit reached: {bytes} bytes (alignment 8) asked for, 0 of {owner} {limit} bytes in use, longest free \
             range 1048576 bytes"
        )
    };
    let text = |bytes: usize, owner: &str, limit: usize| limit_text(bytes, &format!("the {owner}'s"), limit);
    let own = layout(65_537, 8);
    let refused = [heap.alloc(own).map(|_| ()), heap.local().alloc(own).map(|_| ())];
    for error in refused.map(|answer| answer.expect_err("above the heap's limit")) {
        assert_eq!(error.to_string(), text(65_537, "heap", 64 << 10));
    }
    let own = layout(131_073, 8);
    let scratch = arena.scratch().try_alloc_layout(own).expect_err("above the arena's limit");
    for error in [arena.try_alloc_layout(own), arena.local().try_alloc_layout(own), Err(scratch)] {
        assert_eq!(error.expect_err("above the arena's limit").to_string(), text(131_073, "arena", 128 << 10));
    }
    heap.set_limit(512 << 10);
    let all = layout(262_145, 8);
    let error = heap.alloc(all).expect_err("above the region's limit");
    assert_eq!(error.to_string(), text(262_145, "region", 256 << 10));
    let error = Scratch::in_region(&region).try_alloc_layout(all).expect_err("above the region's limit");
    assert_eq!(error.to_string(), text(262_145, "region", 256 << 10));
    let mut blocks = BlockArena::builder().region(&region).limit(16 << 10).build().expect("an arena");
    let error = blocks.allocate_aligned(16_385).expect_err("above its limit");
    assert_eq!((error.limit_owner, error.to_string()), (LimitOwner::Own, limit_text(16_385, "its own", 16 << 10)));
    let names = Interner::builder().region(&region).limit(64 << 10).build().expect("an interner");
    let error = names.intern(&"x".repeat(65_536)).expect_err("above its limit");
    assert!(error.limit_owner == LimitOwner::Own && error.to_string().contains(" of its own 65536 bytes"), "{error}");
    assert!(region.reserve(262_145).expect_err("above the limit").to_string().contains(" 0 of the region's 262144 "));
}

/// A region that a client made for itself bounds it, though it was given no limit. A lower limit is the region's.
#[test]
fn unlimited_clients_name_their_bound() {
    let all = layout(isize::MAX as usize / 2, 1);
    let (arena, scratch, mut blocks) = (Arena::new(), Scratch::new(), BlockArena::new());
    let errors = [
        (arena.try_alloc_layout(all).expect_err("more than any machine has"), arena.region()),
        (scratch.try_alloc_layout(all).expect_err("more than any machine has"), None),
        (blocks.allocate(all.size()).expect_err("more than any machine has"), blocks.region()),
    ];
    for (error, region) in errors {
        let limit = error.limit;
        assert!(region.is_none_or(|region| region.capacity() == limit), "{error}");
        let words =
            format!("0 of the {limit} bytes in use that `new` reserved (give a capacity to have another number)");
        assert!(error.limit_owner == LimitOwner::New && error.to_string().contains(&words), "{error}");
    }
    arena.region().expect("used").set_limit(4 << 10);
    let error = arena.try_alloc_layout(layout(5_000, 1)).expect_err("above the limit");
    assert_eq!((error.limit_owner, error.limit), (LimitOwner::Region, 4 << 10));
}

/// The text of an error that has none of what `make` would make.
fn text<T>(made: Result<T, RegionError>) -> String {
    made.map(|_| ()).expect_err("out of bounds").to_string()
}

fn memory(len: usize) -> &'static mut [MaybeUninit<u8>] {
    Box::leak(vec![MaybeUninit::uninit(); len].into_boxed_slice())
}

#[test]
fn small_capacities_name_both_figures() {
    for given in [1, 16, 100, 4_095] {
        let texts = [
            text(Region::with_capacity(given)),
            text(Region::builder().capacity(given).limit(1 << 20).build()),
            text(Heap::with_capacity(given)),
            text(Heap::builder().capacity(given).build()),
            text(Arena::with_capacity(given)),
            text(Arena::builder().capacity(given).build()),
            text(Scratch::with_capacity(given)),
            text(Interner::with_capacity(given)),
            text(BlockArena::with_capacity(given)),
        ];
        for text in texts {
            assert_eq!(text, format!("capacity too small: {given} bytes given, the least is 4096"));
        }
    }
    let aligned = memory(5_000).as_mut_ptr().cast::<u8>().wrapping_add(15).map_addr(|at| at / 16 * 16);
    let base = NonNull::new(aligned.wrapping_add(1)).expect("not null");
    // SAFETY: bytes of a leaked allocation, which is used here only.
    let rounded = unsafe { Region::from_raw_parts(base, 4_100) };
    assert_eq!(
        text(rounded),
        "capacity too small: 4085 bytes given, the least is 4096",
        "15 are before a multiple of 16"
    );
    for given in 1..16 {
        let words = format!("capacity too small: {given} bytes given, the least is 16");
        assert_eq!(text(BumpRegion::with_capacity(given)), words);
        assert_eq!(text(BumpRegion::over(memory(given))), words);
    }
    // SAFETY: the base is made up, and so is everything about it.
    let granule = unsafe { BestFitArena::new(std::ptr::without_provenance_mut(1 << 20), 63, 64) };
    assert_eq!(text(granule), "capacity too small: 63 bytes given, the least is 64");
}

#[test]
fn absent_capacities_name_every_least() {
    let words = "no capacity given, or 0: the least is 4096 bytes (bump region: 16 bytes, best-fit arena: one granule, \
                 pool: one slot)";
    let texts = [
        text(Region::builder().build()),
        text(Heap::builder().build()),
        text(Arena::with_capacity(0)),
        text(BumpRegion::with_capacity(0)),
        text(Pool::<u8>::with_capacity(0)),
        text(BestFitArena::over(&mut [], 16)),
    ];
    assert!(texts.iter().all(|text| text == words), "{texts:?}");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn large_capacities_name_both_figures() {
    const MOST: usize = (64 << 30) - 4096;
    for given in [MOST + 1, 64 << 30, 1 << 62, usize::MAX] {
        let texts = [
            text(Region::with_capacity(given)),
            text(Heap::with_capacity(given)),
            text(Arena::builder().capacity(given).build()),
            text(Scratch::with_capacity(given)),
            text(Interner::with_capacity(given)),
            text(BlockArena::with_capacity(given)),
        ];
        for text in texts {
            assert_eq!(text, format!("capacity too large: {given} bytes given, the greatest is {MOST}"));
        }
    }
    // SAFETY: refused before anything is done with it.
    let raw = unsafe { Region::from_raw_parts(NonNull::without_provenance(4_096.try_into().expect("not 0")), 1 << 40) };
    assert_eq!(text(raw), format!("capacity too large: {} bytes given, the greatest is {MOST}", 1_u64 << 40));
    for (shift, granule) in [(0, 1), (4, 16), (12, 4_096)] {
        let (given, greatest) = (1_usize << 50, ((1_usize << 32) - 256) << shift);
        // SAFETY: the base is made up, and so is everything about it.
        let made = unsafe { BestFitArena::new(std::ptr::without_provenance_mut(1 << 51), given, granule) };
        assert_eq!(text(made), format!("capacity too large: {given} bytes given, the greatest is {greatest}"));
    }
}

/// The greatest number of slots is one that a pool can have, and the next is not.
#[cfg(target_pointer_width = "64")]
#[test]
fn large_pools_name_slots() {
    fn most<T>(given: usize) -> usize {
        let text = text(Pool::<T>::with_capacity(given));
        let words = format!("capacity too large: {given} slots given, the greatest is ");
        text.strip_prefix(&words).and_then(|most| most.parse().ok()).unwrap_or_else(|| panic!("{text}"))
    }
    assert_eq!(most::<()>(usize::MAX), u32::MAX as usize);
    assert_eq!(most::<u8>(1 << 32), (64 << 30) / 16 - 257, "a slot has 16 bytes");
    let pages = most::<[u8; 4_000]>(1 << 30);
    assert!(pages > (64 << 30) / 4_200 && pages < (64 << 30) / 4_000, "{pages}");
    assert_eq!(most::<[u8; 4_000]>(pages + 1), pages);
    assert_eq!(Pool::<[u8; 4_000]>::with_capacity(pages).expect("address space").capacity(), pages);
    assert_eq!(most::<[u8; 1 << 40]>(1), 0, "not even one");
}
