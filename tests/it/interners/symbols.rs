//! `Interner` from one thread and from many: numbers without a gap, limits, foreign symbols, and where the memory goes.

use std::collections::HashSet;
use std::sync::Barrier;

use crate::support::region;
use sharded_arena::{AllocErrorKind, Heap, Interner, Symbol};

fn symbol(index: usize) -> Symbol {
    Symbol::from_index(index).expect("a small number")
}

/// Everything the interner says about itself agrees: numbers without a gap, each string found by its own.
fn assert_whole(names: &Interner) {
    let mut seen = HashSet::new();
    for (index, (symbol, text)) in names.iter().enumerate() {
        assert_eq!(symbol.index(), index, "a hole");
        assert_eq!((names.resolve(symbol), names.get(text)), (Some(text), Some(symbol)));
        assert!(seen.insert(text), "{text:?} is there twice");
    }
    assert_eq!(seen.len(), names.len());
    assert_eq!(names.resolve(symbol(names.len())), None);
}

#[test]
fn equal_strings_share_a_symbol() {
    let names = Interner::new();
    assert!(names.is_empty() && names.region().is_none());
    assert_eq!((names.get("a"), names.resolve(symbol(0)), names.memory_usage()), (None, None, 0));
    for round in 0..2 {
        for index in 0..5000 {
            let text = format!("name {index}");
            assert_eq!(names.contains(&text), round == 1);
            assert_eq!(names.intern(&text), Ok(symbol(index)), "round {round}");
            assert_eq!((names.resolve(symbol(index)), names.get(&text)), (Some(&*text), Some(symbol(index))));
        }
        assert_eq!((names.len(), names.is_empty()), (5000, false));
    }
    assert_eq!(names.get("name"), None);
    assert_whole(&names);
}

const THREADS: usize = 64;
const STRINGS: usize = 10_000;

/// 64 threads intern the same 10,000 strings and 10,000 of their own, each in an order of its own.
#[test]
fn concurrent_threads_agree_on_symbols() {
    let names = Interner::new();
    let begin = Barrier::new(THREADS);
    let shared: Vec<String> = (0..STRINGS).map(|index| format!("shared/{index}")).collect();
    let work = |thread: usize| {
        begin.wait();
        let mut symbols = vec![None; STRINGS];
        for step in 0..STRINGS {
            // 7919 is prime to 10,000: every index once.
            let index = (step * 7919 + thread * 157) % STRINGS;
            symbols[index] = names.intern(&shared[index]).ok();
            let own = format!("own/{thread}/{index}");
            let symbol = names.intern(&own).expect("no limit");
            assert_eq!(names.resolve(symbol), Some(&*own));
        }
        symbols
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one string, two symbols");
    for (text, symbol) in shared.iter().zip(&answers[0]) {
        assert_eq!(symbol.and_then(|symbol| names.resolve(symbol)), Some(&**text));
    }
    assert_eq!(names.len(), STRINGS + THREADS * STRINGS);
    assert_whole(&names);
    let text: usize = names.iter().map(|(_, text)| text.len()).sum();
    let (usage, bound) = (names.memory_usage(), text * 22 / 10 + 64 * names.len());
    assert!(usage <= bound, "{usage} bytes for {text} bytes of text, above {bound}");
    println!("{usage} bytes for {} strings, {text} bytes of text, bound {bound}", names.len());
}

#[test]
fn refused_string_leaves_no_gap() {
    let shared = region(1 << 20);
    let names = Interner::in_region(&shared);
    assert_eq!((names.memory_usage(), shared.memory_usage()), (0, 0), "nothing is taken before the first use");
    for limit in (6 << 10..256 << 10).step_by(3 << 10) {
        shared.set_limit(limit);
        let error = loop {
            let next = names.len();
            match names.intern(&format!("{next:08}")) {
                Ok(symbol) => assert_eq!(symbol.index(), next, "a hole"),
                Err(error) => break error,
            }
            assert!(names.memory_usage() == shared.memory_usage() && shared.memory_usage() <= limit);
        };
        assert!(error.requested > 8 && error.usage + error.requested > limit, "{error} contradicts itself");
        assert_eq!(error.limit, limit);
        assert_eq!((error.kind, error.usage), (AllocErrorKind::LimitReached, shared.memory_usage()));
        let before = (names.len(), names.memory_usage(), shared.stats().extents_used);
        for attempt in 0..100 {
            let text = format!("refused {attempt}");
            if names.intern(&text).is_err() {
                assert_eq!((names.len(), names.memory_usage(), shared.stats().extents_used), before);
                assert_eq!((names.get(&text), names.resolve(symbol(before.0))), (None, None));
            } else {
                break;
            }
        }
        assert_whole(&names);
    }
    assert!(names.len() > 2000, "{} strings in 256 KiB", names.len());
    shared.verify().expect("every byte is in one place");
    drop(names);
    assert_eq!(shared.memory_usage(), 0);
    shared.verify().expect("every byte is free");
}

/// The least region, which also is its own limit: the text, the table and the numbers share its 4 KiB.
#[test]
fn smallest_region_holds_dozens_of_strings() {
    let names = Interner::with_capacity(4 << 10).expect("a region");
    let error = (0..).find_map(|index| names.intern(&format!("{index}")).err()).expect("a full region");
    assert_eq!((error.limit, error.usage), (4 << 10, names.memory_usage()));
    assert!(names.len() >= 56, "{} strings", names.len());
    assert_whole(&names);
}

#[test]
fn drop_frees_only_its_own_strings() {
    let shared = region(8 << 20);
    let heap = Heap::in_region(&shared);
    let names: Vec<Interner> = (0..3).map(|_| Interner::in_region(&shared)).collect();
    for index in 0..20_000 {
        for (nth, names) in names.iter().enumerate() {
            names.intern(&format!("{nth} {index}")).expect("room");
        }
    }
    names[1].intern(&"long".repeat(100_000)).expect("room");
    shared.verify().expect("every byte is in one place");
    let mut left: usize = names.iter().map(Interner::memory_usage).sum();
    for names in names {
        assert_eq!(shared.memory_usage(), left + heap.memory_usage());
        left -= names.memory_usage();
        drop(names);
        shared.verify().expect("every byte is in one place");
    }
    assert_eq!((left, shared.memory_usage()), (0, 0));
}

/// `for` shows each string once, of both forms, and none that came after it began.
#[test]
fn strings_are_iterated_by_reference() {
    let names = Interner::new();
    assert_eq!((&names).into_iter().count(), 0, "before the first use");
    for n in 0..100 {
        names.intern(&n.to_string()).expect("room");
    }
    let mut next = 0;
    for (symbol, text) in &names {
        assert_eq!((symbol.index(), text), (next, &*next.to_string()));
        names.intern(&(1_000 + next).to_string()).expect("room");
        next += 1;
    }
    assert_eq!((next, names.len()), (100, 200));
    let frozen = names.freeze();
    let mut strings = (&frozen).into_iter();
    assert_eq!(strings.by_ref().map(|(symbol, _)| symbol.index()).sum::<usize>(), 199 * 100);
    assert!(strings.next().is_none());
    for (symbol, text) in &frozen {
        assert_eq!(frozen.get(text), Some(symbol));
    }
}
