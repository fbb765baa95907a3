//! Model 13: the same string from two threads is one symbol; a string that is found, or a number that leads
//! somewhere, has its record; numbers have no gap, even if requests are refused meanwhile.
//!
//! The records lie in memory of this model's own, which loom does not see: the ghosts of entries, slots and tables
//! stand for it. Hashes are chosen: the shard, and the entry in its table.
//!
//! Breaks it: `find`'s Acquire, `put`'s Release (found), `entries`' Acquire, `publish`'s Release (grown), `resolve`'s
//! Acquire, `name`'s Release (resolved), `interner.no-second-look` (same), `interner.resumed-elsewhere` (same beside
//! growth), `interner.entry-first` (found), `interner.number-first` (refused), `interner.number-once` (weak failure).

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::support::harness::{BOUNDED, SMALL, explore, own_region};
use crate::interner::{Hash, Inner, Symbol};
use crate::region::{Client, Region};
use crate::sync::forced_weak_failure;
use crate::thread::{by_hand, tokens};

const NONE: usize = usize::MAX;
const BYTES: usize = 4096;

struct State {
    inner: Option<Inner>,
    region: Region,
    /// The numbers that the roles were given; not words of the model.
    given: [AtomicUsize; 2],
}

/// A hash whose entry's home is `home` in every table, or its lower bits are, in shard `shard`.
fn hash(shard: u64, home: u64) -> Hash {
    Hash(shard << 48 | home)
}

impl State {
    /// An interner of `shards` shards that knows `known`.
    fn new(shards: usize, known: &[(Hash, &str)]) -> Self {
        by_hand::set_late(true);
        // This static is made here, so that no role is ordered before another by its making.
        let _tokens = tokens().exits_hint();
        let region = own_region(BYTES, BYTES, 16);
        let inner = Inner::with_shards(region.clone(), shards).expect("a small interner");
        let state = Self { inner: Some(inner), region, given: [AtomicUsize::new(NONE), AtomicUsize::new(NONE)] };
        for (number, (hash, text)) in known.iter().enumerate() {
            assert_eq!(state.intern(*hash, text), Some(number));
        }
        state
    }

    fn inner(&self) -> &Inner {
        self.inner.as_ref().expect("dropped with the state")
    }

    fn intern(&self, hash: Hash, text: &str) -> Option<usize> {
        self.inner().intern(hash, text).ok().map(Symbol::index)
    }

    fn get(&self, hash: Hash, text: &str) -> Option<usize> {
        self.inner().get(hash, text).map(Symbol::index)
    }

    fn resolve(&self, number: usize) -> Option<&str> {
        self.inner().resolve(Symbol::from_index(number).expect("a small number"))
    }

    /// Role `role` interns `text`, which is not refused, and can be found and resolved from then on.
    fn give(&self, role: usize, hash: Hash, text: &str) {
        let number = self.intern(hash, text).expect("there is room");
        assert_eq!((self.get(hash, text), self.resolve(number)), (Some(number), Some(text)));
        self.given[role].store(number, Relaxed);
    }

    fn given(&self) -> [usize; 2] {
        [self.given[0].load(Relaxed), self.given[1].load(Relaxed)]
    }

    /// No role runs any more: there are `count` strings, and every number below that leads to one.
    fn check(&self, count: usize) {
        assert_eq!(self.inner().len(), count);
        assert!((0..count).all(|number| self.resolve(number).is_some()), "a hole");
        assert_eq!(self.resolve(count), None);
        assert_eq!(self.inner().budget().usage(), self.region.memory_usage());
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.inner = None;
        assert_eq!(self.region.memory_usage(), 0, "bytes left behind");
        self.region.verify().expect("every byte is free");
    }
}

// ---- the same string --------------------------------------------------------------------------------------------

/// Both strings are new; the table has room for another.
fn two_known() -> State {
    State::new(1, &[(hash(0, 0), "x"), (hash(0, 1), "y")])
}

const A: Hash = Hash(3);

#[test]
fn m13_same() {
    explore(
        "m13_intern::same",
        BOUNDED,
        two_known,
        &[|state| state.give(0, A, "a"), |state| state.give(1, A, "a")],
        |state| {
            assert_eq!(state.given(), [2, 2], "one string, two symbols");
            state.check(3);
        },
    );
}

/// The table is full: the one who comes first makes a longer one, in which the string's entry is another.
fn one_known() -> State {
    State::new(1, &[(hash(0, 0), "x")])
}

#[test]
fn m13_same_beside_growth() {
    explore(
        "m13_intern::same_beside_growth",
        BOUNDED,
        one_known,
        &[|state| state.give(0, A, "a"), |state| state.give(1, A, "a")],
        |state| {
            assert_eq!(state.given(), [1, 1], "one string, two symbols");
            state.check(2);
        },
    );
}

// ---- readers ----------------------------------------------------------------------------------------------------

/// Whoever finds the string sees its record, and its number leads to it.
fn find(state: &State) {
    if let Some(number) = state.get(A, "a") {
        assert_eq!((number, state.resolve(number)), (2, Some("a")));
    }
}

#[test]
fn m13_found() {
    explore("m13_intern::found", SMALL, two_known, &[|state| state.give(0, A, "a"), find], |state| state.check(3));
}

/// A number that was taken has its string soon, whoever waits for it: nothing refuses any more.
fn wait(state: &State) {
    if state.inner().len() > 2 {
        assert_eq!(state.inner().wait_for(Symbol::from_index(2).expect("a small number")), "a");
    }
}

#[test]
fn m13_waited() {
    explore("m13_intern::waited", SMALL, two_known, &[|state| state.give(0, A, "a"), wait], |state| state.check(3));
}

/// Whoever guesses the number sees the record, or nothing.
fn resolve(state: &State) {
    assert!(matches!(state.resolve(2), None | Some("a")));
}

/// The slot of number 2 is there: numbers 2 and 3 have one segment.
fn one_to_come() -> State {
    let state = two_known();
    let more = state.intern(hash(0, 2), "z");
    assert_eq!(more, Some(2));
    state
}

#[test]
fn m13_resolved() {
    explore("m13_intern::resolved", SMALL, two_known, &[|state| state.give(0, A, "a"), resolve], |state| {
        state.check(3);
    });
    let guess = |state: &State| assert!(matches!(state.resolve(3), None | Some("a")));
    explore("m13_intern::resolved_in_segment", SMALL, one_to_come, &[|state| state.give(0, A, "a"), guess], |state| {
        state.check(4);
    });
}

/// What was there is found in the older table and in the longer one.
fn find_known(state: &State) {
    assert_eq!(state.get(hash(0, 0), "x"), Some(0), "a string is lost");
    assert_eq!(state.intern(hash(0, 0), "x"), Some(0), "a string is lost");
}

#[test]
fn m13_grown() {
    explore("m13_intern::grown", SMALL, one_known, &[|state| state.give(0, A, "a"), find_known], |state| {
        state.check(2);
    });
}

// ---- numbers ----------------------------------------------------------------------------------------------------

/// Two shards; the next number has a slot, the one after that has not.
fn two_shards() -> State {
    State::new(2, &[(hash(0, 0), "x"), (hash(1, 0), "y"), (hash(0, 1), "z")])
}

fn check_two_shards(state: &State) {
    let mut given = state.given();
    given.sort_unstable();
    assert_eq!(given, [3, 4], "numbers without a gap");
    state.check(5);
}

#[test]
fn m13_dense() {
    explore(
        "m13_intern::dense",
        BOUNDED,
        two_shards,
        &[|state| state.give(0, hash(0, 3), "a"), |state| state.give(1, hash(1, 3), "b")],
        check_two_shards,
    );
}

/// As [`m13_dense`], where the first exchange of each word fails for no reason.
#[test]
fn m13_weak_failure() {
    forced_weak_failure(true);
    explore(
        "m13_intern::weak_failure",
        BOUNDED,
        two_shards,
        &[|state| state.give(0, hash(0, 3), "a"), |state| state.give(1, hash(1, 3), "b")],
        check_two_shards,
    );
    forced_weak_failure(false);
}

/// Two shards, and no byte left but what is in the current chunks and tables.
fn full() -> State {
    let state = State::new(2, &[(hash(0, 0), "x"), (hash(1, 0), "y"), (hash(1, 1), "z")]);
    state.region.set_limit(state.region.memory_usage());
    state
}

/// Too long for what is left of the chunk.
fn refused(state: &State) {
    assert_eq!(state.intern(hash(0, 3), &"too long".repeat(20)), None);
}

#[test]
fn m13_refused() {
    explore("m13_intern::refused", BOUNDED, full, &[refused, |state| state.give(1, hash(1, 3), "b")], |state| {
        assert_eq!(state.given(), [NONE, 3], "a refusal leaves no hole");
        state.check(4);
        state.region.set_limit(BYTES);
        assert_eq!(state.intern(hash(0, 3), "longer"), Some(4));
        state.check(5);
    });
}
