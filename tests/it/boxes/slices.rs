//! Slices, texts and trait objects in boxes and `Arc`s: made by whatever may panic, lie or be refused, in heaps and
//! arenas.
#![expect(unsafe_code, reason = "room that was filled is said to be")]

use std::any::Any;
use std::cell::Cell;

use crate::support::{
    self, Log, Tracked,
    boxes::{ClonesUntil, Figures, Says},
    panic_of, panic_text,
};
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::vec::Vec as ArenaVec;
use sharded_arena::{ReserveError, boxed, unsize};

/// Values of a slice in which something goes wrong.
const LEN: usize = 6;

fn says<I>(least: usize, values: I) -> Says<I> {
    Says { hint: (least, None), panics: false, values }
}

macro_rules! suite {
    ($name:ident, $owner:ident, $head:expr, $exclusive:path) => {
        mod $name {
            use super::*;
            use sharded_arena::boxed::$owner as Owner;

            /// Bytes before the value.
            const HEAD: usize = $head;

            fn contents(alloc: impl Allocator + Clone) {
                let numbers: Vec<u32> = (0..1000).collect();
                assert_eq!(*Owner::copy_from_slice_in(&numbers, alloc.clone()), numbers);
                assert_eq!(*Owner::from_fn_in(1000, |n| n, alloc.clone()), (0..1000).collect::<Vec<_>>());
                assert_eq!(*Owner::from_iter_in(numbers.iter().copied(), alloc.clone()), numbers);
                assert_eq!(*Owner::from_iter_in(says(0, numbers.iter().copied()), alloc.clone()), numbers);
                let words = ["a", "few", "words"].map(String::from);
                assert_eq!(*Owner::clone_from_slice_in(&words, alloc.clone()), words);
                let mut values = ArenaVec::with_capacity_in(100, alloc.clone());
                values.extend(words.clone());
                assert_eq!(*Owner::from_vec(values), words);
                for text in ["", "text", "täxt"] {
                    let owned = Owner::from_str_in(text, alloc.clone());
                    assert_eq!((&*owned, owned.to_string()), (text, text.to_owned()));
                    let bytes = Owner::into_bytes(owned);
                    assert_eq!(*bytes, *text.as_bytes());
                    assert_eq!(Owner::from_utf8(bytes).as_deref(), Ok(text));
                }
                let refused = Owner::from_utf8(Owner::copy_from_slice_in(b"ok\xFF", alloc.clone())).unwrap_err();
                assert_eq!((refused.error.valid_up_to(), &*refused.into_bytes()), (2, &b"ok\xFF"[..]));
                let sum: u32 = (&Owner::copy_from_slice_in(&numbers, alloc)).into_iter().sum();
                assert_eq!(sum, 499_500);
            }

            #[test]
            fn every_constructor_keeps_the_order() {
                everywhere!(1 << 20, contents);
            }

            fn counted(alloc: impl Allocator + Clone) {
                for len in 0..LEN {
                    let log = Log::default();
                    drop(Owner::from_fn_in(len, |_| log.make(), alloc.clone()));
                    drop(Owner::from_iter_in((0..len).map(|_| log.make()), alloc.clone()));
                    let source: Vec<_> = (0..len).map(|_| log.make()).collect();
                    drop(Owner::clone_from_slice_in(&source, alloc.clone()));
                    let mut values = ArenaVec::new_in(alloc.clone());
                    values.extend(source);
                    drop(Owner::from_vec(values));
                    log.assert_all_dropped(4 * len);
                }
            }

            #[test]
            fn values_are_dropped_once() {
                everywhere!(1 << 20, counted);
            }

            fn at_every_step(alloc: impl Allocator + Clone + Figures) {
                for at in 0..LEN {
                    let (log, before) = (Log::default(), alloc.live());
                    let step = |index: usize| {
                        assert!(index != at, "step");
                        log.make()
                    };
                    assert_eq!(panic_text(|| drop(Owner::from_fn_in(LEN, step, alloc.clone()))), "step");
                    assert_eq!(panic_text(|| drop(Owner::from_iter_in((0..LEN).map(step), alloc.clone()))), "step");
                    let slow = says(0, (0..LEN).map(step));
                    assert_eq!(panic_text(|| drop(Owner::from_iter_in(slow, alloc.clone()))), "step");
                    log.assert_all_dropped(3 * at);
                    let left = Cell::new(at);
                    let source: Vec<_> = (0..LEN).map(|_| ClonesUntil(log.make(), &left)).collect();
                    assert_eq!(panic_text(|| drop(Owner::clone_from_slice_in(&source, alloc.clone()))), "step");
                    assert_eq!(log.figures(), (4 * at + LEN, 4 * at), "the clones went, what they were cloned from did not");
                    assert_eq!(alloc.live(), before);
                }
            }

            #[test]
            fn panic_at_any_step_drops_all() {
                everywhere!(1 << 20, at_every_step);
            }

            fn dropping_panics(alloc: impl Allocator + Clone + Figures, at: usize) {
                let (log, before) = (Log::default(), alloc.live());
                let make = |index| if index == at { log.make_panicking() } else { log.make() };
                let whole = Owner::from_fn_in(LEN, make, alloc.clone());
                assert_eq!(panic_text(|| drop(whole)), panic_of(at));
                // Made in vain: the next one is refused, and what is there is dropped.
                let values = says(0, (0..).map(make));
                let refused = panic_text(|| drop(Owner::try_from_iter_in(values, alloc.clone())));
                assert_eq!(refused, panic_of(LEN + at));
                log.assert_all_dropped(log.figures().0);
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn panicking_destructor_leaks_nothing() {
                for at in 0..LEN {
                    everywhere!(8192, dropping_panics, at);
                }
            }

            fn lies(alloc: impl Allocator + Clone + Figures) {
                let (log, before) = (Log::default(), alloc.live());
                for least in [0, 1, LEN - 1, LEN + 1, 40, 10_000, usize::MAX / 2, usize::MAX] {
                    let made = Owner::from_iter_in(says(least, (0..LEN).map(|_| log.make())), alloc.clone());
                    assert_eq!(made.len(), LEN);
                }
                log.assert_all_dropped(8 * LEN);
                let ends = Says { hint: (LEN, Some(LEN)), panics: true, values: (0..LEN).map(|_| log.make()) };
                assert_eq!(panic_text(|| drop(Owner::from_iter_in(ends, alloc.clone()))), "the end");
                log.assert_all_dropped(9 * LEN);
                let ends = Says { hint: (0, None), panics: true, values: 0..0 };
                let log_of = &log;
                let make = move |_| {
                    let _captured = &ends;
                    log_of.make()
                };
                assert_eq!(panic_text(|| drop(Owner::from_fn_in(LEN, make, alloc.clone()))), "the end");
                log.assert_all_dropped(10 * LEN);
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn lying_iterators_are_safe() {
                everywhere!(1 << 14, lies);
            }

            fn refused(alloc: impl Allocator + Clone + Figures) {
                let (log, live, usage) = (Log::default(), alloc.live(), alloc.usage());
                let unchanged = || assert_eq!((alloc.live(), alloc.usage()), (live, usage));
                let error = Owner::try_from_fn_in(1000, |_| log.make(), alloc.clone()).err().expect("too long");
                assert!(matches!(error, ReserveError::Refused { align: 8, .. }), "{error:?}");
                assert_eq!(error.requested(), 1000 * size_of::<Tracked>() + HEAD);
                log.assert_all_dropped(0);
                let error = Owner::try_copy_from_slice_in(&[7u8; 10_000], alloc.clone()).unwrap_err();
                assert_eq!(error.requested(), 10_000 + HEAD);
                let panicked = panic_text(|| Owner::copy_from_slice_in(&[7u8; 10_000], alloc.clone()).len());
                assert_eq!(panicked, error.to_string());
                unchanged();
                for len in [usize::MAX, usize::MAX / 2, isize::MAX.unsigned_abs() / 8] {
                    let error = Owner::<[u64], _>::try_new_uninit_slice_in(len, alloc.clone()).err().expect("too long");
                    assert!(error.requested() >= isize::MAX.unsigned_abs() - 7, "{error}");
                }
                assert!(Owner::try_from_str_in(&"x".repeat(10_000), alloc.clone()).is_err());
                unchanged();
            }

            #[test]
            fn refusal_changes_nothing() {
                everywhere!(8192, refused);
            }

            fn endless(alloc: impl Allocator + Clone + Figures) {
                let (log, before) = (Log::default(), alloc.live());
                let error = Owner::try_from_iter_in((0..).map(|_| log.make()), alloc.clone()).err().expect("endless");
                assert!(matches!(error, ReserveError::Refused { align: 8, .. }), "{error:?}");
                assert!(log.figures().0 * size_of::<Tracked>() >= 2048, "{} values", log.figures().0);
                log.assert_all_dropped(log.figures().0);
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn endless_iterator_is_refused() {
                everywhere!(8192, endless);
            }

            fn vectors(alloc: impl Allocator + Clone + Figures) {
                // No size, no values, room to spare, none to spare.
                for (len, capacity) in [(0, 0), (0, 9), (3, 9), (9, 9)] {
                    let log = Log::default();
                    let mut values = ArenaVec::with_capacity_in(capacity, alloc.clone());
                    values.extend((0..len).map(|_| log.make()));
                    let owned = Owner::from_vec(values);
                    assert_eq!(owned.iter().map(|value| value.id).collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
                    assert_eq!(alloc.live(), len * size_of::<Tracked>() + HEAD);
                    assert_eq!(log.figures(), (len, 0));
                    drop(owned);
                    log.assert_all_dropped(len);
                }
                let mut units = ArenaVec::new_in(alloc.clone());
                units.resize(1000, ());
                assert_eq!(Owner::from_vec(units).len(), 1000);
            }

            #[test]
            fn vector_values_move_into_slice() {
                everywhere!(1 << 14, vectors);
            }

            #[test]
            fn zero_sized_values_take_no_memory() {
                thread_local!(static DROPS: Cell<usize> = const { Cell::new(0) });
                #[repr(align(64))]
                #[derive(Clone)]
                struct Nothing;
                impl Drop for Nothing {
                    fn drop(&mut self) {
                        DROPS.set(DROPS.get() + 1);
                    }
                }
                fn nothing(alloc: impl Allocator + Clone) {
                    DROPS.set(0);
                    let made = Owner::from_iter_in((0..100).map(|_| Nothing), alloc.clone());
                    assert_eq!((made.len(), made.as_ptr().addr() % 64), (100, 0));
                    drop((made, Owner::from_fn_in(10, |_| Nothing, alloc.clone())));
                    assert_eq!(DROPS.get(), 110);
                    drop(Owner::clone_from_slice_in(&[Nothing, Nothing], alloc.clone()));
                    assert_eq!(DROPS.get(), 114);
                    assert_eq!(Owner::copy_from_slice_in(&[(); usize::MAX], alloc.clone()).len(), usize::MAX);
                    assert_eq!(Owner::<[()], _>::new_uninit_slice_in(usize::MAX, alloc).len(), usize::MAX);
                }
                everywhere!(1 << 14, nothing);
            }

            #[test]
            fn over_aligned_values_are_aligned() {
                #[repr(align(128))]
                #[derive(Clone, Copy, PartialEq, Debug)]
                struct Line(u8);
                #[repr(align(4096))]
                #[derive(Clone, Copy, PartialEq, Debug)]
                struct Page(u8);
                fn aligned(alloc: impl Allocator + Clone) {
                    let _byte = Owner::new_in(1u8, alloc.clone());
                    let lines = Owner::from_iter_in((0..40).map(Line), alloc.clone());
                    let pages = Owner::from_iter_in(says(0, (0..4).map(Page)), alloc.clone());
                    assert_eq!((lines.as_ptr().addr() % 128, pages.as_ptr().addr() % 4096), (0, 0));
                    assert!((0..40).all(|n| lines[usize::from(n)] == Line(n)) && pages[3] == Page(3));
                    let page = Owner::new_in(Page(9), alloc.clone());
                    assert_eq!((std::ptr::from_ref(&*page).addr() % 4096, page.0), (0, 9));
                    let shown = unsize!(Owner::new_in(Page(9), alloc), dyn std::fmt::Debug);
                    assert_eq!((std::ptr::from_ref(&*shown).addr() % 4096, format!("{shown:?}")), (0, "Page(9)".into()));
                }
                everywhere!(1 << 20, aligned);
            }

            fn room(alloc: impl Allocator + Clone + Figures) {
                let before = alloc.live();
                let mut room = Owner::<[String], _>::new_uninit_slice_in(2, alloc.clone());
                let places = $exclusive(&mut room);
                places[0].write("one".into());
                places[1].write("two".into());
                // SAFETY: both were written.
                assert_eq!(*unsafe { room.assume_init() }, ["one", "two"]);
                let mut room = Owner::<String, _>::new_uninit_in(alloc.clone());
                $exclusive(&mut room).write("three".into());
                // SAFETY: it was written.
                assert_eq!(*unsafe { room.assume_init() }, "three");
                drop((Owner::<[Tracked], _>::new_uninit_slice_in(7, alloc.clone()), Owner::<Tracked, _>::new_uninit_in(alloc.clone())));
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn uninit_slices_are_filled_later() {
                everywhere!(1 << 14, room);
            }

            fn objects(alloc: impl Allocator + Clone + 'static) {
                let any = unsize!(Owner::new_in(String::from("any"), alloc.clone()), dyn Any);
                assert!(any.is::<String>());
                let any = any.downcast::<u8>().expect_err("it is none");
                assert_eq!(any.downcast::<String>().ok().as_deref().map(String::as_str), Some("any"));
                let any = unsize!(Owner::new_in(7u8, alloc.clone()), dyn Any + Send + Sync);
                let any = any.downcast::<i8>().expect_err("it is none");
                assert_eq!(any.downcast::<u8>().ok().as_deref(), Some(&7));
                let function = unsize!(Owner::new_in(|n: u8| n + 1, alloc.clone()), dyn Fn(u8) -> u8);
                assert_eq!(function(1), 2);
                let numbers = unsize!(Owner::new_in([1u16, 2, 3], alloc), [u16]);
                assert_eq!(*numbers, [1, 2, 3]);
            }

            #[test]
            fn trait_objects_are_cast_back() {
                for checked in [false, true] {
                    let heap = support::heap(1 << 14, checked);
                    objects(heap.clone());
                    support::assert_empty(&heap);
                }
            }

            fn objects_dropped(alloc: impl Allocator + Clone + Figures) {
                trait Numbered { fn number(&self) -> usize; }
                impl Numbered for Tracked<'_> { fn number(&self) -> usize { self.id } }
                impl Numbered for [Tracked<'_>; 3] { fn number(&self) -> usize { self[0].id } }
                let (log, before) = (Log::default(), alloc.live());
                let one = unsize!(Owner::new_in(log.make(), alloc.clone()), dyn Numbered + '_);
                let three = unsize!(Owner::new_in([(); 3].map(|()| log.make()), alloc.clone()), dyn Numbered + '_);
                assert_eq!((one.number(), three.number()), (0, 1));
                drop((one, three));
                log.assert_all_dropped(4);
                let panics = unsize!(Owner::new_in(log.make_panicking(), alloc.clone()), dyn Numbered + '_);
                assert_eq!(panic_text(|| drop(panics)), panic_of(4));
                log.assert_all_dropped(5);
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn trait_objects_drop_their_value() {
                everywhere!(1 << 14, objects_dropped);
            }
        }
    };
}

fn of_box<T: ?Sized, A: Allocator>(owner: &mut boxed::Box<T, A>) -> &mut T {
    owner
}

fn of_arc<T: ?Sized, A: Allocator + Clone>(owner: &mut boxed::Arc<T, A>) -> &mut T {
    boxed::Arc::get_mut(owner).expect("the only handle")
}

suite! { in_a_box, Box, 0, of_box }
suite! { in_an_arc, Arc, size_of::<usize>(), of_arc }
