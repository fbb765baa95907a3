//! Every collection in everything that hands out memory: a heap's handle, a reference to it, an arena, a scope.
#![expect(unsafe_code, reason = "as many values of no size as there can be")]

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use crate::support::{assert_empty, heap, steps};
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::collections::{self, CollectIn, HashMap, HashSet, ReserveError, String, Vec};
use sharded_arena::{Arena, BumpRegion, Heap, Scratch, format_in, vec_in};

/// One of each, nested, with the same contents for the same `count`.
struct All<A: Allocator + Clone> {
    numbers: Vec<u64, A>,
    text: String<A>,
    table: HashMap<String<A>, Vec<u64, A>, A>,
    set: HashSet<String<A>, A>,
    none: Vec<(), A>,
}

impl<A: Allocator + Clone> All<A> {
    fn build(count: u64, alloc: &A) -> Self {
        let mut all = Self {
            numbers: collections::collect_in(0..count, alloc.clone()),
            text: String::new_in(alloc.clone()),
            table: collections::hash_map_in(alloc.clone()),
            set: HashSet::new_in(alloc.clone()),
            none: vec_in![alloc.clone(); (); 1_000],
        };
        for number in 0..count {
            let name = format_in!(alloc.clone(), "{number:04}");
            all.text += &name;
            all.set.insert(name.clone());
            all.table.insert(name, vec_in![alloc.clone(); number, number * 2]);
            all.none.push(());
        }
        for odd in (1..count).step_by(2) {
            let name = format_in!(alloc.clone(), "{odd:04}");
            assert!(all.set.remove(&*name) && all.table.remove(name.as_str()).is_some());
        }
        all.numbers.retain(|number| number % 2 == 0);
        all.numbers.shrink_to_fit();
        all.table.shrink_to_fit();
        all
    }

    fn check(&self, count: u64) {
        let kept: std::vec::Vec<u64> = (0..count).step_by(2).collect();
        assert_eq!(self.numbers, kept[..]);
        assert_eq!((self.table.len(), self.set.len()), (kept.len(), kept.len()));
        assert_eq!(self.none.len() as u64, 1_000 + count);
        for number in kept {
            let name = format!("{number:04}");
            let at = usize::try_from(number).expect("a small number") * 4;
            assert!(self.text[at..].starts_with(&name) && self.set.contains(&*name));
            assert_eq!(self.table[&*name], [number, number * 2]);
        }
    }
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no panic")
}

#[test]
fn every_collection_works_in_every_allocator() {
    let count = steps(2_000) as u64;
    for checked in [false, true] {
        let heap = heap(8 << 20, checked);
        All::build(count, &&heap).check(count);
        All::build(count, &heap).check(count);
        All::build(count, &&heap.local()).check(count);
        assert_empty(&heap);
    }
    let mut arena = Arena::new();
    let all = All::build(count, &&arena);
    all.check(count);
    drop(all);
    // What was not dropped is gone with the reset too.
    std::mem::forget(All::build(count, &&arena));
    arena.reset();
    #[cfg(feature = "stats")]
    assert_eq!(arena.live_bytes(), 0);
    All::build(count, &&arena.local()).check(count);
    All::build(count, &&BumpRegion::with_capacity(8 << 20).expect("memory")).check(count);
    let mut scratch = Scratch::new();
    scratch.scope(|outer| {
        let all = All::build(count, &&*outer);
        all.check(count);
        drop(all);
        // The outer's stay while an inner scope has its own.
        let kept: &mut [u64] = collections::collect_in(0..count, &*outer).leak();
        assert_eq!(kept.len() as u64, count);
        outer.scope(|inner| All::build(count, &&*inner).check(count));
        All::build(count, &&*outer).check(count);
    });
    #[cfg(feature = "stats")]
    assert_eq!(scratch.live_bytes(), 0);
}

/// Built on one thread, read on another, dropped on a third.
#[test]
fn collections_move_to_other_threads() {
    let count = steps(1_000) as u64;
    let heap = heap(8 << 20, false);
    let own = heap.clone();
    let all = join(std::thread::spawn(move || All::build(count, &own)));
    std::thread::scope(|scope| join_scoped(scope.spawn(|| all.check(count))));
    join(std::thread::spawn(move || drop(all)));
    let arena = Arena::new();
    let built = std::thread::scope(|scope| {
        let (arena, heap) = (&arena, &heap);
        let in_heap = scope.spawn(move || All::build(count, &heap));
        let in_arena = scope.spawn(move || All::build(count, &arena));
        (join_scoped(in_heap), join_scoped(in_arena))
    });
    std::thread::scope(|scope| {
        let (in_heap, in_arena) = &built;
        let threads = [scope.spawn(|| in_heap.check(count)), scope.spawn(|| in_arena.check(count))];
        threads.into_iter().for_each(join_scoped);
    });
    drop(built);
    std::thread::scope(|scope| {
        let (arena, heap) = (&arena, &heap);
        let all = (All::build(count, &heap), All::build(count, &arena));
        join_scoped(scope.spawn(move || {
            all.0.check(count);
            all.1.check(count);
            drop(all);
        }));
    });
    assert_empty(&heap);
}

fn join_scoped<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("no panic")
}

/// A vector in a scope that grows beside others of it, again and again; what was leaked from it stays.
#[test]
fn vectors_grow_in_one_scope() {
    let mut scratch = Scratch::new();
    scratch.scope(|scope| {
        let mut vectors: std::vec::Vec<Vec<u64, _>> = (0..8).map(|_| Vec::new_in(&*scope)).collect();
        for number in 0..steps(20_000) as u64 {
            for (at, vector) in (0..).zip(&mut vectors) {
                vector.push(number * 8 + at);
            }
        }
        for (at, vector) in (0..).zip(vectors) {
            let leaked: &[u64] = vector.leak();
            assert!((0..).zip(leaked).all(|(number, found)| *found == number * 8 + at));
        }
    });
    #[cfg(feature = "stats")]
    assert_eq!(scratch.live_bytes(), 0);
}

/// The trait's methods collect what is left of an iterator, and refuse as the functions do.
#[test]
fn iterators_collect_into_allocators() {
    let (heap, arena) = (heap(64 << 10, true), Arena::new());
    let mut numbers = 0..10_u64;
    assert_eq!(numbers.by_ref().take(3).collect_in(&heap), [0, 1, 2]);
    let rest: &mut [u64] = numbers.collect_in(&arena).leak();
    assert_eq!(rest, [3, 4, 5, 6, 7, 8, 9]);
    let doubled = rest.iter().map(|n| n * 2).try_collect_in(&heap).expect("room");
    assert_eq!(doubled, [6, 8, 10, 12, 14, 16, 18]);
    assert!(matches!((0_u64..).try_collect_in(&heap), Err(ReserveError::Refused { align: 8, .. })));
    panics(|| (0_u64..).collect_in(&heap));
    drop(doubled);
    assert_empty(&heap);
}

// ---- refusals -------------------------------------------------------------------------------------------------------

/// Whatever was refused, what there was is there still.
fn refused_in<A: Allocator + Clone>(alloc: &A) {
    let mut numbers = collections::collect_in(0..100u64, alloc.clone());
    let mut table: HashMap<u64, u64, A> = collections::hash_map_in(alloc.clone());
    table.try_reserve(100).expect("room");
    table.extend((0..100).map(|number| (number, number)));
    for _ in 0..3 {
        let refused = collections::try_extend(&mut numbers, 0..1 << 40).expect_err("endless");
        assert!(matches!(refused, ReserveError::Refused { requested: 800.., align: 8, .. }), "{refused}");
        assert_eq!(numbers.len(), 100);
        assert!(numbers.iter().copied().eq(0..100));
        assert!(collections::try_collect_in(std::iter::repeat(1u64), alloc.clone()).is_err());
        let refused = ReserveError::from(table.try_reserve(1 << 30).expect_err("too many"));
        assert!(matches!(refused, ReserveError::Refused { requested: 0x4_0000_0000.., .. }), "{refused}");
        assert_eq!(table.try_reserve(usize::MAX).map_err(ReserveError::from), Err(ReserveError::CapacityOverflow));
        assert_eq!(
            collections::try_vec_with_capacity_in::<u64, _>(usize::MAX, alloc.clone()).err(),
            Some(ReserveError::CapacityOverflow)
        );
        assert!((0..100).all(|number| table[&number] == number) && table.len() == 100);
        let panicked = catch_unwind(AssertUnwindSafe(|| collections::extend(&mut numbers, 0..1 << 40)));
        let text = panicked.expect_err("endless");
        assert!(text.downcast_ref::<std::string::String>().is_some_and(|text| text.contains("(alignment 8)")));
        assert_eq!(numbers.len(), 100);
    }
    collections::extend(&mut numbers, 100..110);
    assert!(numbers.iter().copied().eq(0..110));
}

#[test]
fn refusal_changes_no_collection() {
    for checked in [false, true] {
        let heap = heap(64 << 10, checked);
        refused_in(&&heap);
        refused_in(&heap);
        assert_empty(&heap);
    }
    // An arena frees only what is last; it has room for what was given up on the way.
    refused_in(&&Arena::with_capacity(4 << 20).expect("an arena"));
    Scratch::with_capacity(4 << 20).expect("a stack").scope(|scope| refused_in(&&*scope));
}

#[test]
fn overflowing_capacity_panics() {
    let heap = heap(64 << 10, false);
    for bytes in [usize::MAX, isize::MAX.unsigned_abs() + 1] {
        let text =
            catch_unwind(AssertUnwindSafe(|| drop(String::with_capacity_in(bytes, &heap)))).expect_err("too long");
        assert!(text.downcast_ref::<std::string::String>().is_some_and(|text| text.starts_with("capacity overflow")));
    }
    let mut none: Vec<(), &Heap> = collections::vec_in(&heap);
    // SAFETY: values of no size, which need not be made.
    unsafe { none.set_len(usize::MAX) };
    assert_eq!(none.len(), usize::MAX);
    assert_eq!(collections::try_extend(&mut none, [()]), Err(ReserveError::CapacityOverflow));
    assert_eq!(none.len(), usize::MAX);
    drop(none);
    assert_empty(&heap);
}

// ---- what users write panics ----------------------------------------------------------------------------------------

thread_local! {
    static DROPS: Cell<u32> = const { Cell::new(0) };
}

/// Counts its drops; panics at the one that says so.
struct Value {
    number: u32,
    panics: bool,
}

impl Value {
    fn new(number: u32) -> Self {
        Self { number, panics: false }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        DROPS.set(DROPS.get() + 1);
        assert!(!self.panics || std::thread::panicking(), "a destructor panics");
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        assert!(DROPS.get() != self.number, "a clone panics");
        Self::new(self.number)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.number != 13 && other.number != 13, "an equality panics");
        self.number == other.number
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert!(self.number != 7, "a hash panics");
        // All in one place, so that keys are compared.
        state.write_u32(1);
    }
}

fn panics<R>(call: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "it panics");
}

#[test]
fn vector_of_panicking_values_frees_memory() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        // A destructor: the others run too.
        let mut values = collections::collect_in((0..9).map(Value::new), &heap);
        values[4].panics = true;
        DROPS.set(0);
        panics(|| drop(values));
        assert_eq!(DROPS.replace(0), 9);
        assert_empty(&heap);
        // A clone, and the iterator; `DROPS` is 0 throughout.
        panics(|| vec_in![&heap; Value::new(0); 3]);
        let yields = |number| if number == 5 { panic!("an iterator panics") } else { Value::new(number) };
        DROPS.set(0);
        panics(|| collections::collect_in((0..9).map(yields), &heap));
        assert_eq!(DROPS.replace(0), 5);
        // What was there stays, with what came before the panic.
        let mut values = vec_in![&heap; Value::new(100)];
        panics(|| collections::extend(&mut values, (0..9).map(yields)));
        assert_eq!(values.len(), 6);
        drop(values);
        assert_eq!(DROPS.replace(0), 6);
        assert_empty(&heap);
    }
}

#[test]
fn map_survives_panicking_keys() {
    let heap = heap(1 << 20, true);
    let mut table: HashMap<Value, String<&Heap>, &Heap> = collections::hash_map_in(&heap);
    for number in 0..7 {
        table.insert(Value::new(number), format_in!(&heap, "{number}"));
    }
    DROPS.set(0);
    panics(|| table.insert(Value::new(7), String::new_in(&heap)));
    panics(|| table.insert(Value::new(13), String::new_in(&heap)));
    panics(|| table.contains_key(&Value::new(13)));
    assert_eq!((table.len(), DROPS.replace(0)), (7, 3));
    assert!((0..7).all(|number| table[&Value::new(number)] == number.to_string()));
    panics(|| table.retain(|key, _| key.number != 3 || panic!("a closure panics")));
    drop(table);
    assert_empty(&heap);
}

/// It is hashbrown's: the table's own memory stays in use; nothing is freed twice, and the heap's end takes it.
#[test]
fn map_survives_panicking_destructor() {
    let heap = heap(1 << 20, true);
    let mut table: HashMap<u32, Value, &Heap> = collections::hash_map_in(&heap);
    table.insert(1, Value { number: 1, panics: true });
    panics(|| drop(table));
    heap.flush();
    assert!(heap.memory_usage() > 0);
    heap.region().verify().expect("every byte is in one place");
    assert_eq!(heap.stats().invalid_frees, 0);
    let region = heap.region().clone();
    drop(heap);
    region.verify().expect("every byte is in one place");
}
