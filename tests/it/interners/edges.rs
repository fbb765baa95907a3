//! `Interner` at its edges: what strings and symbols may be, frozen readers, threads that end, several in one region,
//! and limits that threads meet together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};

use crate::support::region;
use proptest::prelude::*;
use sharded_arena::{AllocErrorKind, Arena, FrozenInterner, Interner, Symbol};

#[test]
fn strings_of_any_length_round_trip() {
    let names = Interner::new();
    let long = "long ".repeat(300_000);
    let mut texts: Vec<String> = (0..=200).map(|len| "x".repeat(len)).collect();
    texts.extend(["\0", "\0\0", "é", "日本語", "🦀", "a\u{301}", "á"].map(String::from));
    // Around a chunk's length, and a quarter of it, which decide where a string lies.
    texts.extend(
        (8..18)
            .flat_map(|bit| [(1 << bit) - 9, (1 << bit) - 8, 1 << bit])
            .filter(|len| *len > 200)
            .map(|len| "y".repeat(len)),
    );
    texts.extend((0..1000).step_by(50).map(|len| long[len * 3..=len * 1000].to_owned()));
    texts.push(long);
    texts.sort_unstable();
    texts.dedup();
    let symbols: Vec<Symbol> = texts.iter().map(|text| names.intern(text).expect("no limit")).collect();
    for (index, (text, symbol)) in texts.iter().zip(&symbols).enumerate() {
        assert_eq!(symbol.index(), index);
        assert_eq!((names.resolve(*symbol), names.get(text)), (Some(&**text), Some(*symbol)), "{} bytes", text.len());
        assert_eq!(names.intern(text), Ok(*symbol));
    }
    // A string stays where it was while others come.
    let addresses: Vec<*const str> =
        symbols.iter().map(|symbol| std::ptr::from_ref(names.resolve(*symbol).expect("known"))).collect();
    for index in 0..50_000 {
        names.intern(&format!("later {index}")).expect("no limit");
    }
    assert!(
        symbols
            .iter()
            .zip(addresses)
            .all(|(symbol, address)| { names.resolve(*symbol).is_some_and(|text| std::ptr::eq(text, address)) })
    );
}

#[test]
fn foreign_symbols_resolve_safely() {
    let (few, many) = (Interner::new(), Interner::new());
    for index in 0..3 {
        few.intern(&format!("few {index}")).expect("no limit");
    }
    for index in 0..2000 {
        let symbol = many.intern(&format!("many {index}")).expect("no limit");
        let found = few.resolve(symbol);
        assert_eq!(found, (index < 3).then(|| format!("few {index}")).as_deref());
    }
    let frozen = few.freeze();
    let (mut made_up, last) = (vec![0, 1, 2, 3, 4], u32::MAX as usize - 1);
    made_up.extend((0..32).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
    made_up.extend([last - 2, last - 1, last]);
    for index in made_up {
        let symbol = Symbol::from_index(index).expect("below u32::MAX");
        assert_eq!(symbol.index(), index);
        assert_eq!(frozen.resolve(symbol).is_some(), index < 3, "{index}");
        assert_eq!(many.resolve(symbol).is_some(), index < 2000, "{index}");
        assert_eq!(Interner::new().resolve(symbol), None);
    }
    for index in [last + 1, last + 2, usize::MAX / 2, usize::MAX] {
        assert_eq!(Symbol::from_index(index), None);
    }
}

#[test]
fn symbols_are_ordered_four_byte_numbers() {
    assert_eq!((size_of::<Symbol>(), size_of::<Option<Symbol>>()), (4, 4));
    let of = |index| Symbol::from_index(index).expect("small");
    assert!(of(0) < of(1) && of(9) < of(10));
    assert_eq!((of(12).to_string(), format!("{:?}", of(12))), ("#12".into(), "Symbol(12)".into()));
    let names = Interner::new();
    names.intern("a").expect("no limit");
    let shown = format!("{names:?}");
    assert_eq!(shown, format!("Interner {{ len: 1, memory_usage: {}, .. }}", names.memory_usage()));
}

#[test]
fn too_long_string_changes_nothing() {
    let shared = region(64 << 10);
    let names = Interner::in_region(&shared);
    names.intern("kept").expect("room");
    let before = (names.len(), names.memory_usage(), shared.stats().extents_used);
    let long = "long".repeat(1 << 20);
    for len in [60 << 10, 64 << 10, (64 << 10) + 1, 1 << 20, 4 << 20] {
        let error = names.intern(&long[..len]).expect_err("too long");
        assert!((len + 16..=len + 32).contains(&error.requested), "{error}: a record of {len} bytes");
        assert_eq!(error.kind, AllocErrorKind::LimitReached);
        assert_eq!((error.usage, error.limit), (before.1, 64 << 10));
        assert_eq!((names.len(), names.memory_usage(), shared.stats().extents_used), before);
        assert_eq!(names.get(&long[..len]), None);
    }
    assert_eq!(names.intern("next").expect("room").index(), 1);
}

// ---- readers ----------------------------------------------------------------------------------------------------

#[test]
fn freezing_keeps_strings_and_saves_memory() {
    let shared = region(16 << 20);
    let names = Interner::in_region(&shared);
    let texts: Vec<String> = (0..30_000).map(|index| format!("text {index}")).collect();
    for text in &texts {
        names.intern(text).expect("room");
    }
    let before = names.memory_usage();
    let frozen = names.freeze();
    assert!(frozen.memory_usage() < before && frozen.memory_usage() == shared.memory_usage());
    shared.verify().expect("every byte is in one place");
    // What was given back is another's now.
    let others = Arena::in_region(&shared);
    while others.try_alloc([0xAAu8; 1 << 10]).is_ok() {}
    let check = |frozen: &FrozenInterner| {
        assert_eq!((frozen.len(), frozen.is_empty()), (texts.len(), false));
        for (index, text) in texts.iter().enumerate() {
            let symbol = frozen.get(text).expect("it was interned");
            assert_eq!((symbol.index(), frozen.resolve(symbol)), (index, Some(&**text)));
        }
        assert!(frozen.iter().map(|(_, text)| text).eq(texts.iter().map(String::as_str)));
        assert!(!frozen.contains("text") && frozen.contains("text 7"));
    };
    let clones: Vec<FrozenInterner> = (0..4).map(|_| frozen.clone()).collect();
    drop(frozen);
    std::thread::scope(|scope| {
        for clone in clones {
            let check = &check;
            scope.spawn(move || check(&clone));
        }
    });
    drop(others);
    assert_eq!(shared.memory_usage(), 0, "the last clone gives all back");
    shared.verify().expect("every byte is free");
    let empty = Interner::new().freeze();
    assert_eq!((empty.len(), empty.get(""), empty.iter().count(), empty.memory_usage()), (0, None, 0, 0));
    assert!(empty.is_empty() && empty.region().is_none());
}

// ---- threads ----------------------------------------------------------------------------------------------------

struct AtTheEnd(Arc<Interner>, mpsc::Sender<Option<usize>>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let symbols: Vec<_> = (0..3000).map(|index| self.0.intern(&format!("late {index}"))).collect();
        let whole = symbols.iter().enumerate().all(|(index, symbol)| {
            symbol.ok().and_then(|symbol| self.0.resolve(symbol)) == Some(&*format!("late {index}"))
        });
        let _nobody_waits = self.1.send(whole.then(|| self.0.len()));
    }
}

thread_local! {
    static LATE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

#[test]
fn exiting_thread_may_intern() {
    for used_before in [false, true] {
        let names = Arc::new(Interner::with_capacity(4 << 20).expect("a region"));
        let (sender, receiver) = mpsc::channel();
        let late = AtTheEnd(names.clone(), sender);
        let thread = std::thread::spawn(move || {
            let early = late.0.clone();
            // Registered before or after the thread's own use of the crate.
            LATE.set(Some(late));
            if used_before {
                early.intern("early").expect("room");
            }
        });
        thread.join().expect("no panic");
        assert_eq!(receiver.recv(), Ok(Some(3000 + usize::from(used_before))));
        assert_eq!(Arc::strong_count(&names), 1);
    }
}

/// Threads fill two interners and an arena in one region, to its limit and beyond; nobody ever sees the limit exceeded,
/// nor a symbol without its string.
#[test]
fn shared_limit_holds_for_all_clients() {
    for limit in [8 << 10, 40 << 10, 300 << 10] {
        let shared = region(1 << 20);
        shared.set_limit(limit);
        let names = [Interner::in_region(&shared), Interner::in_region(&shared)];
        let arena = Arena::in_region(&shared);
        let (over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (names, arena, refused, shared) = (&names[thread % 2], &arena, &refused, &shared);
                scope.spawn(move || {
                    for index in 0..4000 {
                        let text = format!("{thread}/{index}/{}", "z".repeat(index % 90));
                        match names.intern(&text) {
                            Ok(symbol) => assert_eq!(names.resolve(symbol), Some(&*text)),
                            Err(error) => {
                                assert!(error.usage <= limit && error.limit == limit, "{error}");
                                refused.fetch_add(1, SeqCst);
                            }
                        }
                        if index % 64 == 0 {
                            let _refused_or_not = arena.try_alloc([0u8; 40]);
                        }
                        assert!(shared.memory_usage() <= limit, "above the limit");
                    }
                });
            }
            let watched = || {
                while refused.load(SeqCst) < 100 {
                    over.fetch_or(shared.memory_usage() > limit || shared.peak_memory_usage() > limit, SeqCst);
                    std::thread::yield_now();
                }
            };
            watched();
        });
        assert!(!over.load(SeqCst) && shared.peak_memory_usage() <= limit);
        shared.verify().expect("every byte is in one place");
        shared.set_limit(1 << 20);
        for names in names {
            let count = names.len();
            assert!(names.iter().map(|(symbol, _)| symbol.index()).eq(0..count), "a hole");
            assert_eq!(names.intern("the next").expect("room again").index(), count);
        }
        drop(arena);
        assert_eq!(shared.memory_usage(), 0);
        shared.verify().expect("every byte is free");
    }
}

/// What one thread has interned is found by all who hear of it.
#[test]
fn symbols_resolve_on_every_thread() {
    let names = Arc::new(Interner::new());
    let (sender, receiver) = mpsc::channel::<(Symbol, String)>();
    let reader = std::thread::spawn({
        let names = names.clone();
        move || {
            let mut told = 0;
            for (symbol, text) in receiver {
                assert_eq!((names.resolve(symbol), names.get(&text)), (Some(&*text), Some(symbol)));
                assert!(names.len() > symbol.index());
                assert_eq!(names.iter().nth(symbol.index()), Some((symbol, &*text)));
                told += 1;
            }
            told
        }
    });
    for index in 0..2000 {
        let text = format!("told {index}");
        sender.send((names.intern(&text).expect("no limit"), text)).expect("the reader waits");
    }
    drop(sender);
    assert_eq!(reader.join().expect("no panic"), 2000);
}

// ---- against a map ----------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 64 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Any strings, many of them equal, under a limit that some of them meet: a map from strings to numbers says the
    /// same.
    #[test]
    fn random_interning_agrees_with_map(
        texts in prop::collection::vec("[a-c]{0,3}|.{0,40}|x{100,900}", 0..300),
        limit in 5_000usize..60_000,
    ) {
        let shared = region(64 << 10);
        shared.set_limit(limit);
        let names = Interner::in_region(&shared);
        let mut map: HashMap<&str, usize> = HashMap::new();
        for text in &texts {
            prop_assert_eq!(names.get(text).map(Symbol::index), map.get(&**text).copied());
            let before = names.memory_usage();
            match names.intern(text) {
                Ok(symbol) => {
                    let next = map.len();
                    prop_assert_eq!(symbol.index(), *map.entry(text).or_insert(next));
                    prop_assert_eq!(names.resolve(symbol), Some(&**text));
                }
                Err(error) => {
                    prop_assert!(!map.contains_key(&**text), "a known string is never refused");
                    prop_assert_eq!(names.memory_usage(), before);
                    prop_assert!(error.requested > error.largest_free || error.usage + error.requested > error.limit);
                }
            }
            prop_assert_eq!(names.len(), map.len());
            prop_assert!(shared.memory_usage() <= limit && shared.memory_usage() == names.memory_usage());
        }
        let frozen = names.freeze();
        prop_assert!(frozen.iter().all(|(symbol, text)| map[text] == symbol.index() && frozen.get(text) == Some(symbol)));
        drop(frozen);
        prop_assert_eq!(shared.memory_usage(), 0);
    }
}
