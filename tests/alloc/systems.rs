//! The clauses of `tests/it/systems` that count what is asked of the global allocator.
#![allow(non_snake_case, reason = "two underscores part the system's name from the clause's")]
#![expect(unsafe_code, reason = "a base that is made up")]

use std::sync::Barrier;
use std::thread;

use crate::allocator::calls;
use crate::support::{Random, steps};
use sharded_arena::{Arena, BestFitArena, Interner, Region, Symbol};

// ---- blink-alloc ----------------------------------------------------------------------------------------------------

/// A region without huge pages: each page is a fault of its own when it is first touched.
fn region(bytes: usize) -> Region {
    Region::builder().capacity(bytes).huge_pages(false).build().expect("a valid capacity")
}

/// Returns the small faults of the calling thread: pages that it was the first to touch. Allocates nothing, because a
/// buffer may lie on a page that no thread has touched.
#[cfg(target_os = "linux")]
fn page_faults() -> usize {
    let mut room = [0; 1024];
    let mut stat = std::fs::File::open("/proc/thread-self/stat").expect("the thread's figures");
    let len = std::io::Read::read(&mut stat, &mut room).expect("the thread's figures");
    let stat = std::str::from_utf8(&room[..len]).expect("a line of text");
    let behind_the_name = stat.rsplit_once(')').expect("a name in parentheses").1;
    behind_the_name.split_whitespace().nth(7).and_then(|figure| figure.parse().ok()).expect("the tenth figure")
}

/// One round: blocks of up to 1,000 bytes, and after each thousand a longer one if `large`.
#[cfg(target_os = "linux")]
fn round(arena: &Arena, blocks: usize, large: bool) -> usize {
    static SOURCE: [u8; 120_000] = [0x5A; 120_000];
    let mut random = Random::new(0xB12);
    for n in 0..blocks {
        arena.alloc_slice_copy(&SOURCE[..=random.below(1000)]);
        if large && n.is_multiple_of(1000) {
            arena.alloc_slice_copy(&SOURCE[..100_000 + n]);
        }
    }
    arena.memory_usage()
}

/// The original keeps its last chunk, the longest one, at a reset. Where long blocks lie between short ones the second
/// round packs them in another way, and touches a few pages more; no round after it does.
#[cfg(target_os = "linux")]
#[test]
fn blink_alloc__reset_keeps_memory_warm() {
    for (blocks, large) in [(500, false), (500, true), (4_000, false), (4_000, true), (16_000, false), (16_000, true)] {
        let region = region(256 << 20);
        let mut arena = Arena::builder().region(&region).max_shards(8).build().expect("an arena");
        page_faults();
        let before = page_faults();
        let first = round(&arena, blocks, large);
        let cold = page_faults() - before;
        assert!(cold >= (blocks * 500) >> 12, "{cold} pages for the first round of {blocks} blocks");
        for n in 2..6 {
            arena.reset();
            let (faults, before) = (page_faults(), calls());
            let usage = round(&arena, blocks, large);
            let asked = calls() - before;
            let warm = page_faults() - faults;
            let most = if n == 2 && blocks > 4_000 { cold / 50 } else { 0 };
            assert!(warm <= most, "{warm} pages of {cold} in round {n} of {blocks} blocks");
            assert_eq!(asked, 0, "the global allocator is not asked");
            assert!(usage <= first + first / 16, "{usage} bytes after {first}");
        }
    }
}

/// Which thread's round it was does not matter: the memory is the arena's.
#[cfg(target_os = "linux")]
#[test]
fn blink_alloc__reset_keeps_memory_warm_for_other_threads() {
    let region = region(256 << 20);
    let mut arena = Arena::builder().region(&region).max_shards(8).build().expect("an arena");
    let mut on_a_new_thread = || {
        arena.reset();
        let measured = || {
            page_faults();
            let before = page_faults();
            round(&arena, 16_000, false);
            page_faults() - before
        };
        thread::scope(|scope| scope.spawn(measured).join().expect("no panic"))
    };
    let rounds: [usize; 5] = std::array::from_fn(|_| on_a_new_thread());
    assert!(rounds[0] >= (16_000 * 500) >> 12 && rounds[1..].iter().all(|warm| *warm <= rounds[0] / 50), "{rounds:?}");
}

/// In the original a thread takes a lock of the arena to allocate beside others. Here what the region's lock guards
/// does not change while a chunk lasts: no bytes are charged, no extent is taken, no lease is granted.
#[test]
fn blink_alloc__no_lock_per_allocation() {
    let region = region(64 << 20);
    let arena = Arena::builder().region(&region).first_chunk_bytes(64 << 10).build().expect("an arena");
    let held = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = std::ptr::from_ref(arena.alloc(0_u64)).addr();
                held.wait();
                let before = (arena.stats().usage, region.stats(), calls());
                for n in 1..8000_u64 {
                    let number = arena.alloc(n);
                    assert_eq!(last - std::ptr::from_ref(number).addr(), 8, "in the thread's own chunk");
                    last -= 8;
                }
                assert_eq!((arena.stats().usage, region.stats(), calls()), before);
            });
        }
    });
    assert_eq!((arena.live_bytes(), arena.memory_usage()), (2 * 64_000, 2 << 16));
}

// ---- bitcoin-arena --------------------------------------------------------------------------------------------------

/// The original clones a set of chunks on every call. With 400,000 live chunks a walk of them a call would not end
/// here.
#[test]
fn bitcoin_arena__cost_does_not_grow_and_nothing_is_allocated() {
    let most = steps(400_000);
    let mut random = Random::seeded(0xB4);
    // SAFETY: nothing is ever read or written through the results.
    let arena = unsafe { BestFitArena::new(std::ptr::without_provenance_mut(0x0800_0000), 1 << 30, 16) };
    let mut arena = arena.expect("a valid range");
    let mut live = Vec::with_capacity(most);
    let before = calls();
    while live.len() < most {
        live.extend(arena.alloc(16 + random.below(2000)));
    }
    for _ in 0..2 * most {
        let at = random.below(most);
        assert_eq!(arena.free(live[at].as_ptr()), Ok(()));
        live[at] = arena.alloc(16 + random.below(2000)).expect("room");
    }
    let chunks = arena.walk().count();
    let stats = arena.stats();
    for block in live.drain(..) {
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
    }
    assert_eq!(calls(), before, "neither alloc, free, stats nor walk allocates");
    assert_eq!((stats.chunks_used, stats.chunks_used + stats.chunks_free), (most, chunks));
    assert_eq!(arena.stats().chunks_free, 1);
}

// ---- rodeo ----------------------------------------------------------------------------------------------------------

/// A string of its own length for each number.
fn word(n: usize) -> String {
    format!("{n}{}", "·".repeat(n % 13))
}

/// The body of the function of that name in a source.
fn body<'a>(source: &'a str, name: &str) -> &'a str {
    let start = source.find(name).unwrap_or_else(|| panic!("{name} in the source"));
    let open = start + source[start..].find('{').expect("a body");
    let mut depth = 0;
    let close = source[open..].char_indices().find(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        depth == 0
    });
    &source[open..open + close.expect("its end").0]
}

/// The original indexes a vector; its threaded form looks the key up in a map under a lock. Here a key leads through a
/// directory to its slot, and that to the string: no loop, no lock, nothing that counts, on the whole way.
#[test]
fn rodeo__interner_resolve_is_constant_and_takes_no_lock() {
    let source = |file: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        std::fs::read_to_string(path).expect("a source")
    };
    let way = [
        ("interner/read.rs", "pub fn resolve("),
        ("interner/inner.rs", "fn resolve("),
        ("region/segments.rs", "fn get("),
        ("region/segments.rs", "unsafe fn at("),
        ("interner/text.rs", "unsafe fn text<"),
        ("interner/text.rs", "unsafe fn bytes<"),
        ("interner/text.rs", "unsafe fn word("),
        ("interner/text.rs", "fn at("),
        ("region/memory.rs", "fn byte("),
    ];
    for (file, name) in way {
        let text = source(file);
        for step in ["for ", "while ", "loop ", ".with(", "lock(", "fetch_", "exchange", ".store(", "find("] {
            let mut code = body(&text, name).lines().filter(|line| !line.trim_start().starts_with("//"));
            assert_eq!(code.find(|line| line.contains(step)), None, "{step} on the way of a key: {name}");
        }
    }
    // And it finds the last of many as it finds the first, at one place for good, without asking for anything.
    let names = Interner::new();
    let most = steps(200_000);
    let symbols: Vec<Symbol> = (0..most).map(|n| names.intern(&word(n)).expect("room")).collect();
    let places: Vec<&str> = [0, 1, most / 2, most - 1].map(|n| names.resolve(symbols[n]).expect("there")).into();
    let expected = [0, 1, most / 2, most - 1].map(word);
    let (before, usage) = (calls(), names.memory_usage());
    for (place, (text, n)) in places.iter().zip(expected.iter().zip([0, 1, most / 2, most - 1])) {
        assert!(std::ptr::eq(*place, names.resolve(symbols[n]).expect("there")) && *place == text, "{n}");
    }
    assert_eq!((calls(), names.memory_usage()), (before, usage));
    for n in most..most + 20_000 {
        names.intern(&word(n)).expect("room");
    }
    assert!(std::ptr::eq(places[3], names.resolve(symbols[most - 1]).expect("there")), "growth moves no string");
    assert!(symbols.iter().enumerate().all(|(n, symbol)| names.resolve(*symbol) == Some(&*word(n))));
}
