//! Parallel iterators into vectors: order, panics, refusals, and iterators that do not keep what they say.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{assert_empty, heap, panic_text, steps};
use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};
use rayon::prelude::*;
use sharded_arena::collections::{self, ReserveError, String, Vec};
use sharded_arena::{Arena, Heap, LocalHeap, Scratch, format_in};

/// Counts how many there are.
struct Counted<'c> {
    number: usize,
    live: &'c AtomicUsize,
}

impl<'c> Counted<'c> {
    fn new(number: usize, live: &'c AtomicUsize) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        Self { number, live }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let before = self.live.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "dropped twice");
    }
}

#[test]
fn parallel_collect_keeps_the_order() {
    let count = steps(40_000);
    let check = |values: &[usize], from: usize, step: usize| {
        assert!(values.iter().copied().eq((from..count).step_by(step)), "in order");
    };
    let (heap, arena, mut scratch) = (heap(8 << 20, false), Arena::new(), Scratch::new());
    let all = || (0..count).into_par_iter();
    let some = || all().filter(|number| number % 7 == 3);
    check(&collections::par_collect_in(all(), &heap), 0, 1);
    check(&collections::par_collect_in(some(), &heap), 3, 7);
    check(&collections::par_collect_in(all(), heap.clone()), 0, 1);
    let local: LocalHeap<'_> = heap.local();
    check(&collections::par_collect_in(all().rev().rev(), &local), 0, 1);
    let kept: &mut [usize] = collections::par_collect_in(all(), &arena).leak();
    check(kept, 0, 1);
    check(collections::par_collect_in(some(), &arena).leak(), 3, 7);
    scratch.scope(|scope| check(&collections::par_collect_in(all(), &*scope), 0, 1));
    // At the end of what is there, twice, by either way.
    let mut values: Vec<usize, &Heap> = collections::par_collect_in(0..10, &heap);
    collections::par_extend(&mut values, 10..count / 2);
    collections::par_extend(&mut values, (count / 2..count).into_par_iter().filter(|_| true));
    check(&values, 0, 1);
    collections::par_extend(&mut values, rayon::iter::empty());
    collections::par_extend(&mut values, all().filter(|_| false));
    check(&values, 0, 1);
    assert_eq!(collections::par_collect_in((0..count).into_par_iter().map(|_| ()), &heap).len(), count);
    drop((values, local));
    assert_empty(&heap);
}

/// What is collected is made in the same arena and the same heap, by all threads, while the vector is being filled.
#[test]
fn values_are_made_in_their_allocator() {
    let count = steps(20_000);
    let (heap, arena) = (heap(16 << 20, true), Arena::new());
    let in_heap: Vec<String<&Heap>, &Heap> =
        collections::par_collect_in((0..count).into_par_iter().map(|number| format_in!(&heap, "<{number}>")), &heap);
    let in_arena: Vec<String<&Arena>, &Arena> =
        collections::par_collect_in(in_heap.par_iter().map(|text| format_in!(&arena, "{text}!")), &arena);
    let correct = |(number, text): (usize, &String<&Arena>)| *text == format!("<{number}>!");
    assert!(in_arena.par_iter().enumerate().all(correct) && in_arena.len() == count);
    in_heap.into_iter().par_bridge().for_each(drop);
    assert_empty(&heap);
}

/// An item panics: every other is dropped once, and the block comes back.
#[test]
fn panicking_item_leaks_nothing() {
    let (heap, arena, live) = (heap(8 << 20, true), Arena::new(), AtomicUsize::new(0));
    for at in [0, 1, 700, 998, 999] {
        let make = |number: usize| {
            assert!(number != at, "an item panics");
            Counted::new(number, &live)
        };
        let all = || (0..1_000).into_par_iter().map(make);
        assert_eq!(panic_text(|| collections::par_collect_in(all(), &heap).len()), "an item panics");
        assert_eq!(panic_text(|| collections::par_collect_in(all().filter(|_| true), &heap).len()), "an item panics");
        assert_eq!(panic_text(|| collections::par_collect_in(all(), &arena).len()), "an item panics");
        assert_eq!(live.load(Ordering::Relaxed), 0);
        // What there was before stays, and nothing else.
        let mut values = collections::collect_in((0..5).map(|number| Counted::new(number, &live)), &heap);
        assert_eq!(panic_text(|| collections::par_extend(&mut values, all())), "an item panics");
        assert_eq!(panic_text(|| collections::par_extend(&mut values, all().filter(|_| true))), "an item panics");
        assert!(values.iter().map(|value| value.number).eq(0..5));
        assert_eq!(live.load(Ordering::Relaxed), 5);
        drop(values);
        assert_empty(&heap);
    }
}

#[test]
fn refusal_changes_nothing() {
    let (heap, live) = (heap(64 << 10, true), AtomicUsize::new(0));
    let made = AtomicUsize::new(0);
    let all = || {
        (0..10_000_usize).into_par_iter().map(|number| {
            made.fetch_add(1, Ordering::Relaxed);
            Counted::new(number, &live)
        })
    };
    let refused = collections::try_par_collect_in(all(), &heap).map(drop).expect_err("too many");
    assert!(matches!(refused, ReserveError::Refused { align: 8, cause: Some(_), .. }), "{refused}");
    assert_eq!(refused.requested(), 10_000 * size_of::<Counted<'_>>());
    assert_eq!(made.load(Ordering::Relaxed), 0, "it was not asked for any");
    assert_eq!(collections::try_par_collect_in(all().filter(|_| true), &heap).map(drop), Err(refused));
    assert_eq!((made.load(Ordering::Relaxed), live.load(Ordering::Relaxed)), (10_000, 0));
    assert_eq!(panic_text(|| collections::par_collect_in(all(), &heap).len()), refused.to_string());
    assert_empty(&heap);
    let mut values = collections::collect_in((0..5).map(|number| Counted::new(number, &live)), &heap);
    assert!(collections::try_par_extend(&mut values, all()).is_err());
    assert!(collections::try_par_extend(&mut values, all().filter(|_| true)).is_err());
    assert!(values.iter().map(|value| value.number).eq(0..5));
    drop(values);
    assert_eq!(live.load(Ordering::Relaxed), 0);
    assert_empty(&heap);
}

// ---- iterators that lie ---------------------------------------------------------------------------------------------

/// Says it has 8 values and does not do as one should that says so.
#[derive(Clone, Copy)]
struct Lies<'c> {
    how: How,
    live: &'c AtomicUsize,
}

#[derive(Clone, Copy)]
enum How {
    TooMany,
    TooFew,
    TooFewInFront,
    OnlyBehind,
    OnlyFront,
    WrongOrder,
    SplitsBeyond,
    AsksForLeft,
    LeaksBehind,
    Not,
}

impl<'c> Lies<'c> {
    fn feed<C: Consumer<Counted<'c>>>(self, consumer: C, numbers: std::ops::Range<usize>) -> C::Result {
        consumer.into_folder().consume_iter(numbers.map(|number| Counted::new(number, self.live))).complete()
    }
}

impl<'c> ParallelIterator for Lies<'c> {
    type Item = Counted<'c>;

    fn opt_len(&self) -> Option<usize> {
        Some(8)
    }

    fn drive_unindexed<C: UnindexedConsumer<Counted<'c>>>(self, consumer: C) -> C::Result {
        match self.how {
            How::TooMany => return self.feed(consumer, 0..9),
            How::TooFew => return self.feed(consumer, 0..7),
            How::SplitsBeyond => {
                let (front, _behind, _reducer) = consumer.split_at(9);
                return self.feed(front, 0..8);
            }
            How::AsksForLeft => {
                let left = consumer.split_off_left();
                drop(self.feed(left, 0..1));
                return self.feed(consumer, 0..8);
            }
            _ => {}
        }
        let (front, behind, reducer) = consumer.split_at(5);
        match self.how {
            How::TooFewInFront => reducer.reduce(self.feed(front, 0..4), self.feed(behind, 5..8)),
            How::OnlyBehind => self.feed(behind, 5..8),
            How::OnlyFront => self.feed(front, 0..5),
            How::LeaksBehind => {
                std::mem::forget(self.feed(behind, 5..8));
                self.feed(front, 0..5)
            }
            How::WrongOrder => reducer.reduce(self.feed(behind, 5..8), self.feed(front, 0..5)),
            _ => reducer.reduce(self.feed(front, 0..5), self.feed(behind, 5..8)),
        }
    }
}

#[test]
fn lying_iterator_panics_without_leaks() {
    let (heap, live) = (heap(64 << 10, true), AtomicUsize::new(0));
    let lies = |how| panic_text(|| collections::par_collect_in(Lies { how, live: &live }, &heap).len());
    let wrong = |built| format!("the parallel iterator said it had 8 values and yielded {built} in order");
    assert_eq!(lies(How::TooMany), "the parallel iterator yields more values than it said it had");
    assert_eq!(lies(How::TooFew), wrong(7));
    assert_eq!(lies(How::TooFewInFront), wrong(4));
    assert_eq!(lies(How::OnlyBehind), wrong(3));
    assert_eq!(lies(How::OnlyFront), wrong(5));
    assert_eq!(lies(How::WrongOrder), wrong(3));
    assert_eq!(lies(How::SplitsBeyond), "place 9 of 8");
    assert_eq!(lies(How::AsksForLeft), "the parallel iterator yields more values than it said it had");
    assert_eq!(live.load(Ordering::Relaxed), 0);
    // What it forgets is never dropped, nor anybody's.
    assert_eq!((lies(How::LeaksBehind), live.swap(0, Ordering::Relaxed)), (wrong(5), 3));
    let honest = collections::par_collect_in(Lies { how: How::Not, live: &live }, &heap);
    assert!(honest.iter().map(|value| value.number).eq(0..8));
    drop(honest);
    assert_eq!(live.load(Ordering::Relaxed), 0);
    assert_empty(&heap);
}
