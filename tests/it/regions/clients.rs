//! Limits of their own, regions and figures, of all that takes memory from a region.

use sharded_arena::{Arena, BlockArena, Heap, Interner, MemoryUsage, Pool, Region, RegionError, Scratch};

const LIMIT: usize = 64 << 10;

fn region() -> Region {
    Region::builder().capacity(4 << 20).huge_pages(false).build().expect("a region")
}

/// A client takes as much as it may and no more, of a limit that it was built with or told before its first use; more
/// when it may have more, and nothing when it may have nothing.
fn obeys_its_limit<C: MemoryUsage>(
    build: impl Fn(&Region, usize) -> C,
    set_limit: impl Fn(&C, usize),
    take: impl Fn(&mut C) -> bool,
) {
    for is_told_later in [false, true] {
        let region = region();
        let mut client = build(&region, if is_told_later { usize::MAX } else { LIMIT });
        if is_told_later {
            assert_eq!(client.limit(), region.limit(), "the region's holds too: {client:?}");
            set_limit(&client, LIMIT);
        }
        assert_eq!((client.limit(), client.memory_usage(), region.memory_usage()), (LIMIT, 0, 0), "{client:?}");
        // How much the region has handed out when the client is refused.
        let fill = |client: &mut C| {
            while take(client) {}
            region.memory_usage()
        };
        let taken = fill(&mut client);
        assert!((LIMIT / 2..=LIMIT).contains(&taken), "{taken} bytes: {client:?}");
        set_limit(&client, 2 * LIMIT);
        let more = fill(&mut client);
        assert!((LIMIT..=2 * LIMIT).contains(&more), "{more} bytes: {client:?}");
        set_limit(&client, 0);
        assert_eq!((client.limit(), fill(&mut client)), (0, more), "{client:?}");
        assert!(client.memory_usage() >= more && client.peak_memory_usage() >= client.memory_usage(), "{client:?}");
        set_limit(&client, usize::MAX);
        assert_eq!(client.limit(), region.limit());
        assert!(take(&mut client), "{client:?}");
        drop(client);
        assert_eq!(region.memory_usage(), 0);
        region.verify().expect("every byte is in one place");
    }
}

#[test]
fn arena_obeys_its_own_limit() {
    let build = |region: &Region, limit| Arena::builder().region(region).limit(limit).build().expect("an arena");
    obeys_its_limit(build, Arena::set_limit, |arena| arena.try_alloc([0_u64; 8]).is_ok());
}

#[test]
fn scratch_obeys_its_own_limit() {
    let build = |region: &Region, limit| Scratch::builder().region(region).limit(limit).build().expect("a stack");
    obeys_its_limit(build, Scratch::set_limit, |scratch| scratch.try_alloc([0_u64; 8]).is_ok());
}

#[test]
fn pool_obeys_its_own_limit() {
    let build = |region: &Region, limit| Pool::builder().region(region).limit(limit).build().expect("a pool");
    obeys_its_limit(build, Pool::set_limit, |pool| pool.insert(1_u64).is_ok());
}

#[test]
fn interner_obeys_its_own_limit() {
    let build = |region: &Region, limit| Interner::builder().region(region).limit(limit).build().expect("an interner");
    obeys_its_limit(build, Interner::set_limit, |names| {
        let answer = names.intern(&names.len().to_string());
        answer.inspect_err(|error| assert_eq!(error.limit, names.limit(), "{error}")).is_ok()
    });
}

#[test]
fn block_arena_obeys_its_own_limit() {
    let build = |region: &Region, limit| BlockArena::builder().region(region).limit(limit).build().expect("an arena");
    obeys_its_limit(build, BlockArena::set_limit, |arena| {
        let limit = arena.limit();
        arena.allocate(100).inspect_err(|error| assert_eq!(error.limit, limit, "{error}")).is_ok()
    });
}

#[test]
fn heap_obeys_its_own_limit() {
    let build = |region: &Region, limit| {
        let heap = Heap::builder().region(region).limit(limit).max_shards(1).build().expect("a heap");
        (heap, Vec::new())
    };
    let region = region();
    let (heap, mut boxes) = build(&region, LIMIT);
    while let Ok(made) = sharded_arena::boxed::Box::try_new_in([0_u64; 8], &heap) {
        boxes.push(made);
    }
    assert_eq!((heap.memory_usage(), heap.limit()), (LIMIT, LIMIT));
    drop(boxes);
    heap.flush();
    heap.verify().expect("every byte is in one place");
    assert_eq!(heap.memory_usage(), 0);
}

// ---- regions --------------------------------------------------------------------------------------------------------

/// Built without a region and a capacity, with a capacity, and with a region, of which the capacity is ignored.
macro_rules! has_a_region {
    ($name:ident, $builder:expr, |$client:ident| $use:expr) => {
        #[test]
        fn $name() {
            let builder = || $builder;
            #[allow(unused_mut, reason = "some are used exclusively")]
            let mut $client = builder().limit(1 << 20).build().expect("no region yet");
            assert!($client.region().is_none() && $client.limit() == 1 << 20);
            $use;
            let made = $client.region().expect("made at the first use");
            assert!(made.capacity() > 1 << 20 && $client.limit() == 1 << 20 && made.memory_usage() > 0);
            #[allow(unused_mut, reason = "as above")]
            let mut $client = builder().capacity(64 << 10).build().expect("a region");
            let own = $client.region().expect("made with it").capacity();
            assert!($client.limit() <= own && own < 1 << 20);
            $use;
            let shared = region();
            #[allow(unused_mut, reason = "as above")]
            let mut $client = builder().region(&shared).capacity(64 << 10).build().expect("no region of its own");
            $use;
            assert_eq!($client.region().map(|region| region.base()), Some(shared.base()));
            assert!(shared.memory_usage() > 0 && $client.limit() == shared.limit());
        }
    };
}

has_a_region! { arena_is_built_in_region, Arena::builder(), |arena| arena.alloc(1) }
has_a_region! { scratch_is_built_in_region, Scratch::builder(), |scratch| scratch.alloc(1) }
has_a_region! { interner_is_built_in_region, Interner::builder(), |names| names.intern("a name").expect("room") }
has_a_region! { block_arena_is_built_in_region, BlockArena::builder(), |arena| arena.allocate(1).expect("room") }

/// The capacity of a pool is slots, wherever they are.
#[test]
fn pool_is_built_in_region() {
    let shared = region();
    for builder in [Pool::builder(), Pool::builder().region(&shared)] {
        let pool = builder.clone().capacity(3).build().expect("a pool");
        let keys: Vec<_> = (0..3_u64).map(|value| pool.insert(value).expect("a slot")).collect();
        assert_eq!((pool.insert(4).expect_err("full").capacity, pool.capacity()), (3, 3));
        assert!(keys.iter().all(|key| pool.remove(*key)) && pool.insert(5).is_ok());
        assert!(matches!(builder.clone().capacity(0).build(), Err(RegionError::ZeroCapacity)));
        let more = usize::try_from(1_u64 << 32).expect("64 bits");
        assert!(matches!(builder.capacity(more).build(), Err(RegionError::AboveGreatest { .. })));
    }
    assert!(Pool::<u64>::builder().limit(1 << 20).build().is_ok_and(|pool| pool.limit() == 1 << 20));
}

/// A stack that an arena lends has its own usage, and the arena's limit and region.
#[test]
fn lent_scratch_has_the_arenas_limit() {
    let arena = Arena::builder().region(&region()).limit(LIMIT).build().expect("an arena");
    arena.alloc([0_u8; 10_000]);
    let mut scratch = arena.scratch();
    assert_eq!((scratch.limit(), scratch.memory_usage(), scratch.peak_memory_usage()), (LIMIT, 0, 0));
    scratch.scope(|scope| _ = scope.alloc_slice_fill_copy(20_000, 0_u8));
    let peak = scratch.peak_memory_usage();
    assert!((20_000..arena.peak_memory_usage()).contains(&peak) && scratch.memory_usage() < peak, "{peak}");
    assert_eq!(scratch.region().map(|region| region.base()), arena.region().map(|region| region.base()));
    arena.set_limit(LIMIT / 2);
    assert_eq!(scratch.limit(), LIMIT / 2);
    let refused = scratch.try_alloc_slice_fill_copy(40_000, 0_u8).expect_err("above the arena's limit");
    assert_eq!(refused.limit, LIMIT / 2);
}

#[test]
fn scratch_chunks_are_as_told() {
    let scratch = Scratch::builder().capacity(64 << 20).first_chunk_bytes(8 << 10).max_chunk_bytes(16 << 10);
    let scratch = scratch.build().expect("a stack");
    let mut steps = std::collections::BTreeSet::new();
    for n in 0..10_000_u64 {
        let before = scratch.memory_usage();
        scratch.alloc([n; 4]);
        steps.extend(scratch.memory_usage().checked_sub(before).filter(|step| *step > 0));
    }
    // Of a chunk's end, what is too short for a block goes back when the next one is taken.
    let (first, last) = (steps.first().expect("a chunk"), steps.last().expect("a chunk"));
    assert!((7 << 10..=8 << 10).contains(first) && (15 << 10..=16 << 10).contains(last), "{steps:?}");
}

// ---- former names ---------------------------------------------------------------------------------------------------

#[test]
#[expect(deprecated, reason = "they do what they did, for one version")]
fn former_names_do_the_same() {
    let region = Region::builder().capacity(1 << 20).huge_pages(false).slack_divisor(256).build().expect("a region");
    let arena = Arena::builder().region(&region).first_chunk(64 << 10).max_shards(1).build().expect("an arena");
    arena.alloc(1);
    assert!(arena.memory_usage() <= 4 << 10, "a 256th of the region may be idle: {}", region.stats());
    let region = Region::builder().capacity(1 << 20).guard_pages(true).build().expect("a region");
    drop(sharded_arena::vec_in![&Heap::in_region(&region); 0_u8; 64 << 10]);
    assert_eq!(region.stats().quarantined > 0, cfg!(target_os = "linux"), "{}", region.stats());
    let arena = Arena::builder().capacity(64 << 20).first_chunk(8 << 10).max_chunk(8 << 10).build().expect("an arena");
    let steps = (0..1_000_u64).map(|n| {
        let before = arena.memory_usage();
        arena.alloc([n; 4]);
        arena.memory_usage() - before
    });
    assert_eq!(steps.max(), Some(8 << 10), "no chunk is longer than the first");
}
