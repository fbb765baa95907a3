//! `Rodeo`, the interner (of the crate `lasso`): strings to dense keys and back. In the original's threaded form a key
//! is taken from a counter, the strings lie in chunks that threads grow by turns, and a limit is looked at before, not
//! while, memory is added.

use std::collections::{BTreeMap, HashMap};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Random, steps};
use sharded_arena::{AllocErrorKind, FrozenInterner, Interner, Region, Symbol};

/// A string of its own length for each number.
fn word(n: usize) -> String {
    format!("{n}{}", "·".repeat(n % 13))
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// The original counts its keys from 0.
#[test]
fn rodeo__interner_keys_are_dense_from_0() {
    let (names, mut oracle) = (Interner::new(), HashMap::new());
    let mut random = Random::seeded(0x20D);
    for _ in 0..steps(40_000) {
        let n = random.below(5_000);
        let next = oracle.len();
        let expected = *oracle.entry(n).or_insert(next);
        let symbol = names.intern(&word(n)).expect("room");
        assert_eq!((symbol.index(), names.len()), (expected, oracle.len()), "the next one, or the one it has");
        assert_eq!(names.get(&word(n)), Some(symbol));
    }
    assert_eq!(names.intern("").map(Symbol::index), Ok(oracle.len()), "nothing is a string too");
    for (n, index) in &oracle {
        assert_eq!(Symbol::from_index(*index).and_then(|symbol| names.resolve(symbol)), Some(&*word(*n)));
    }
    let indexes = names.iter().map(|(symbol, _)| symbol.index());
    assert!(indexes.eq(0..=oracle.len()), "in the order of keys");
    assert_eq!(Symbol::from_index(oracle.len() + 1).and_then(|symbol| names.resolve(symbol)), None);
    assert_eq!(names.get("not there"), None);
    let frozen: FrozenInterner = names.freeze();
    assert!(oracle.iter().all(|(n, index)| frozen.get(&word(*n)).map(Symbol::index) == Some(*index)));
}

/// The original has limits for bytes and for keys; a string that passes one is refused.
#[test]
fn rodeo__interner_limits() {
    for limit in [64 << 10, 1 << 20] {
        let region = Region::builder().capacity(4 << 20).limit(limit).build().expect("a region");
        let names = Interner::in_region(&region);
        let mut count = 0;
        let refused = loop {
            match names.intern(&word(count)) {
                Ok(symbol) => assert_eq!(symbol.index(), count),
                Err(error) => break error,
            }
            count += 1;
            assert!(region.memory_usage() <= limit, "after {count}");
        };
        assert_eq!((refused.kind, refused.limit), (AllocErrorKind::LimitReached, limit), "{refused}");
        let text = (0..count).map(|n| word(n).len()).sum::<usize>();
        assert!(names.memory_usage() <= limit && text * 10 > limit, "{text} bytes of text in {limit}");
        // The refusal left no hole, and what is there is found.
        let usage = names.memory_usage();
        for n in 0..10 {
            let long = "x".repeat(limit + n);
            assert!(names.intern(&long).is_err() && names.get(&long).is_none());
            assert_eq!(names.intern(&word(n % count)).map(Symbol::index), Ok(n % count));
        }
        assert_eq!((names.len(), names.memory_usage()), (count, usage));
        assert!((0..count).all(|n| names.get(&word(n)).is_some_and(|symbol| symbol.index() == n)));
        // With a higher limit it goes on where it was.
        region.set_limit(limit + (256 << 10));
        assert_eq!(names.intern(&word(count)).map(Symbol::index), Ok(count));
        drop(names);
        assert_eq!(region.memory_usage(), 0);
    }
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// In the original threads that meet at the limit each see that there is room and each add a chunk; and each write at
/// the same end of one: in release builds beyond it.
#[test]
fn rodeo__interner_limits_hold_under_threads() {
    const LIMIT: usize = 256 << 10;
    for round in 0..steps(16) {
        let region = Region::builder().capacity(4 << 20).limit(LIMIT).build().expect("a region");
        let names = Interner::in_region(&region);
        let (met, done) = (Barrier::new(4), AtomicBool::new(false));
        let given: Vec<BTreeMap<usize, Symbol>> = thread::scope(|scope| {
            let observer = scope.spawn(|| {
                let mut most = 0;
                while !done.load(Ordering::Relaxed) {
                    most = most.max(region.memory_usage());
                }
                most
            });
            let threads = [0, 1, 2, 3].map(|seed| {
                let (names, met) = (&names, &met);
                scope.spawn(move || {
                    let (mut random, mut own, mut refused) =
                        (Random::new(0x20E + round as u64 + seed), BTreeMap::new(), 0);
                    met.wait();
                    while refused < 500 {
                        let n = random.below(100_000);
                        match names.intern(&word(n)) {
                            Ok(symbol) => drop(own.insert(n, symbol)),
                            Err(_) => refused += 1,
                        }
                    }
                    own
                })
            });
            let given = threads.map(thread::ScopedJoinHandle::join);
            done.store(true, Ordering::Relaxed);
            let most = observer.join().expect("no panic");
            assert!(most <= LIMIT && region.peak_memory_usage() <= LIMIT, "{most} bytes of {LIMIT}");
            given.into_iter().map(|own| own.expect("no panic")).collect()
        });
        let mut all: BTreeMap<usize, Symbol> = BTreeMap::new();
        for (n, symbol) in given.into_iter().flatten() {
            assert_eq!(*all.entry(n).or_insert(symbol), symbol, "one string, one key, whichever thread");
            assert_eq!(names.resolve(symbol), Some(&*word(n)), "and the key leads back to it");
        }
        let mut indexes: Vec<usize> = all.values().map(|symbol| symbol.index()).collect();
        indexes.sort_unstable();
        assert!(indexes.iter().copied().eq(0..names.len()), "dense from 0, no hole of a refusal's");
        assert!(all.len() > 1000 && names.memory_usage() == region.memory_usage(), "{} strings", all.len());
        region.verify().expect("every byte is in one place");
    }
}

/// In the original two threads that miss the same string at the same time look again under its shard's lock, as here.
#[test]
fn rodeo__interner_one_key_for_a_string_of_several_threads() {
    const COUNT: usize = 500;
    let words: Vec<String> = (0..COUNT).map(|n| format!("{n}{}", "·".repeat(20))).collect();
    for _ in 0..steps(800) {
        // So short that it has one shard: threads meet at its lock, for the same string if they keep step.
        let (names, met) = (Interner::with_capacity(120 << 10).expect("an interner"), Barrier::new(3));
        let keys: Vec<Vec<Symbol>> = thread::scope(|scope| {
            let threads = [(); 3].map(|()| {
                scope.spawn(|| {
                    met.wait();
                    words.iter().map(|word| names.intern(word).expect("room")).collect()
                })
            });
            threads.map(|thread| thread.join().expect("no panic")).into()
        });
        assert!(keys.iter().all(|of| *of == keys[0]), "the same keys on every thread");
        let mut indexes: Vec<usize> = keys[0].iter().map(|symbol| symbol.index()).collect();
        indexes.sort_unstable();
        assert!(indexes.into_iter().eq(0..COUNT) && names.len() == COUNT, "each string once");
    }
}
