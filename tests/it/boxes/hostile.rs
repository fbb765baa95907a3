//! Values in boxes and `Arc`s that panic, re-enter their heap, are forgotten, refused, or dropped elsewhere.
#![expect(clippy::needless_pass_by_value, reason = "each test takes an allocator as its owners do")]

use std::cell::RefCell;
use std::thread;

use crate::support::{self, Log, Tracked, boxes::Figures, panic_of, panic_text};
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::{Arena, Heap, ReserveError, boxed, unsize};

macro_rules! suite {
    ($name:ident, $owner:ident, $head:expr) => {
        mod $name {
            use super::*;
            use sharded_arena::boxed::$owner as Owner;

            /// Bytes before the value.
            const HEAD: usize = $head;

            fn dropped(alloc: impl Allocator + Clone + Figures) {
                let (log, before) = (Log::default(), alloc.live());
                drop(Owner::new_in(log.make(), alloc.clone()));
                assert_eq!(panic_text(|| drop(Owner::new_in(log.make_panicking(), alloc.clone()))), panic_of(1));
                // With a panic under way: the owner is dropped by it.
                let under_way = panic_text(|| {
                    let _owner = Owner::new_in(log.make(), alloc.clone());
                    panic!("under way");
                });
                assert_eq!(under_way, "under way");
                log.assert_all_dropped(3);
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn value_is_dropped_and_block_freed() {
                everywhere!(1 << 16, dropped);
            }

            fn refused(alloc: impl Allocator + Clone + Figures) {
                let (log, live, usage) = (Log::default(), alloc.live(), alloc.usage());
                let error = Owner::try_new_in((log.make(), [7u8; 10_000]), alloc.clone()).err().expect("too large");
                assert_eq!((alloc.live(), alloc.usage()), (live, usage));
                let size = size_of::<(Tracked, [u8; 10_000])>() + HEAD;
                assert!(matches!(error.error, ReserveError::Refused { requested, align: 8, .. } if requested == size));
                let asked = |size: usize, align: usize| format!(" {size} bytes (alignment {align})");
                assert!(error.to_string().contains(&asked(size, 8)), "{error}");
                assert!(format!("{error:?}").contains(&size.to_string()));
                assert!(std::error::Error::source(&error).is_some());
                assert_eq!(log.figures(), (1, 0));
                assert_eq!(error.into_value().1[9_999], 7);
                log.assert_all_dropped(1);
                let text = panic_text(|| drop(Owner::new_in((log.make(), [7u8; 10_000]), alloc.clone())));
                assert!(text.contains(&asked(size, 8)), "{text}");
                log.assert_all_dropped(2);
                let (size, align) = (10_000 + HEAD, HEAD.max(1));
                let text = panic_text(|| drop(Owner::new_in([0u8; 10_000], alloc.clone())));
                assert!(text.contains(&asked(size, align)), "{text}");
            }

            #[test]
            fn refused_value_is_returned() {
                everywhere!(8192, refused);
            }

            /// Allocates from and frees to its own allocator when it is dropped.
            struct Nested<'l, A: Allocator + Clone> {
                value: Tracked<'l>,
                alloc: A,
                inner: Option<boxed::Box<Nested<'l, A>, A>>,
            }

            impl<A: Allocator + Clone> Drop for Nested<'_, A> {
                fn drop(&mut self) {
                    let made = Owner::from_fn_in(9, |_| self.value.clone(), self.alloc.clone());
                    drop(self.inner.take());
                    assert_eq!(made.len(), 9);
                }
            }

            fn nested(alloc: impl Allocator + Clone + Figures) {
                let (log, before) = (Log::default(), alloc.live());
                let nest = |inner| Nested { value: log.make(), alloc: alloc.clone(), inner };
                let mut inner = None;
                for _ in 0..20 {
                    inner = Some(boxed::Box::new_in(nest(inner), alloc.clone()));
                }
                drop(Owner::new_in(nest(inner), alloc.clone()));
                log.assert_all_dropped(21 * 10);
                assert_eq!(alloc.live(), before);
            }

            #[test]
            fn destructor_uses_its_own_heap() {
                everywhere!(1 << 16, nested);
            }

            #[test]
            fn value_is_dropped_on_last_thread() {
                for checked in [false, true] {
                    let (heap, log) = (support::heap(1 << 16, checked), Log::default());
                    let arena = Arena::with_capacity(1 << 16).expect("an arena");
                    thread::scope(|scope| {
                        let by_value = Owner::new_in(log.make(), heap.clone());
                        let by_reference = Owner::from_fn_in(3, |_| log.make(), &heap);
                        let in_an_arena = Owner::new_in(log.make(), &arena);
                        let elsewhere = scope.spawn(move || {
                            drop((by_value, by_reference, in_an_arena));
                            thread::current().id()
                        });
                        let elsewhere = elsewhere.join().expect("no panic");
                        assert!((0..5).all(|id| log.droppers(id) == [elsewhere]));
                    });
                    drop(Owner::new_in(log.make(), &heap));
                    assert_eq!(log.droppers(5), [thread::current().id()]);
                    log.assert_all_dropped(6);
                    support::assert_empty(&heap);
                    assert_eq!(arena.live_bytes(), 0);
                }
            }

            #[test]
            fn forgotten_owner_leaks_one_block() {
                for checked in [false, true] {
                    let (heap, log) = (support::heap(1 << 16, checked), Log::default());
                    let others: Vec<_> = (0..9).map(|_| Owner::new_in(log.make(), &heap)).collect();
                    std::mem::forget(Owner::new_in(log.make(), &heap));
                    drop(others);
                    heap.flush();
                    assert_eq!(log.figures(), (10, 9));
                    assert_eq!(heap.live_bytes(), size_of::<Tracked>() + HEAD);
                    heap.region().verify().expect("every byte is in one place");
                }
            }

            #[test]
            fn owner_outlives_other_heap_handles() {
                let (log, other) = (Log::default(), support::heap(1 << 16, false));
                let region = other.region().clone();
                let heap = Heap::in_region(&region);
                let value = Owner::new_in(log.make(), heap.clone());
                let slice = unsize!(Owner::new_in([(); 3].map(|()| log.make()), heap.clone()), [Tracked<'_>]);
                let text = Owner::from_str_in("text", heap.clone());
                drop(heap);
                thread::scope(|scope| scope.spawn(|| drop((value, slice))).join().expect("no panic"));
                log.assert_all_dropped(4);
                assert_eq!((&*text, Owner::allocator(&text).limit()), ("text", 1 << 16));
                assert!(region.memory_usage() > 0);
                drop(text);
                assert_eq!(region.memory_usage(), 0, "the heap went with its last handle");
                let leaked: &'static str = Owner::leak(Owner::from_str_in("for ever", Heap::in_region(&region)));
                drop((other, region));
                assert_eq!(leaked, "for ever");
            }

            #[test]
            fn raw_parts_round_trip() {
                fn round(alloc: impl Allocator + Clone + Figures) {
                    let (log, before) = (Log::default(), alloc.live());
                    let (raw, alloc) =
                        Owner::into_raw_with_allocator(Owner::new_in([(); 3].map(|()| log.make()), alloc));
                    #[expect(unsafe_code, reason = "puts together what was taken apart")]
                    // SAFETY: given away above.
                    let owner = unsafe { Owner::from_raw_in(raw, alloc.clone()) };
                    assert_eq!((owner.len(), owner[2].id, log.figures()), (3, 2, (3, 0)));
                    drop(owner);
                    log.assert_all_dropped(3);
                    assert_eq!(alloc.live(), before);
                }
                everywhere!(1 << 14, round);
            }

            #[test]
            fn owner_forwards_traits_to_value() {
                let heap = support::heap(1 << 14, false);
                let (one, two) = (Owner::new_in(1, &heap), Owner::new_in(2, &heap));
                assert!(one < two && one != two && one == one.clone() && one.cmp(&two).is_lt());
                assert_eq!(
                    (format!("{one} {one:?}"), format!("{one:p}")),
                    ("1 1".into(), format!("{:p}", &raw const *one))
                );
                let words = ["one", "two"].map(|word| Owner::from_str_in(word, &heap));
                #[expect(clippy::mutable_key_type, reason = "the allocator is no part of the order")]
                let set: std::collections::BTreeSet<_> = words.iter().cloned().collect();
                assert!(set.contains("two") && !set.contains("three"), "it borrows, and orders, as its value");
                let error = unsize!(Owner::new_in(std::fmt::Error, &heap), dyn std::error::Error);
                let error: &dyn std::error::Error = &error;
                assert_eq!(error.to_string(), std::fmt::Error.to_string());
            }
        }
    };
}

suite! { in_a_box, Box, 0 }
suite! { in_an_arc, Arc, size_of::<usize>() }

#[test]
fn cloned_box_has_its_own_block() {
    fn clones(alloc: impl Allocator + Clone + Figures) {
        let (log, before) = (Log::default(), alloc.live());
        let values = boxed::Box::from_fn_in(3, |_| log.make(), alloc.clone());
        let cloned = values.clone();
        assert_eq!(cloned.iter().map(|value| value.id).collect::<Vec<_>>(), [3, 4, 5]);
        let text = boxed::Box::from_str_in("text", alloc.clone());
        let other = text.clone();
        assert!(text == other && text.as_ptr() != other.as_ptr());
        drop((values, cloned, text, other));
        log.assert_all_dropped(6);
        assert_eq!(alloc.live(), before);
    }
    everywhere!(1 << 14, clones);
}

#[test]
fn box_becomes_a_growing_vector() {
    fn grows(alloc: impl Allocator + Clone + Figures) {
        let (log, before) = (Log::default(), alloc.live());
        for len in [0, 1, 7] {
            let mut values = boxed::Box::into_vec(boxed::Box::from_fn_in(len, |_| log.make(), alloc.clone()));
            assert_eq!((values.len(), values.capacity()), (len, len));
            values.extend((0..50).map(|_| log.make()));
            assert_eq!(boxed::Box::from_vec(values).len(), len + 50);
        }
        log.assert_all_dropped(158);
        assert_eq!(boxed::Box::into_vec(boxed::Box::from_iter_in([(); 5], alloc.clone())).len(), 5);
        assert_eq!(alloc.live(), before);
    }
    everywhere!(1 << 14, grows);
}

/// The standard library's memory, which this refuses to shrink or to hand out beyond the first block.
#[derive(Default)]
struct Stubborn(RefCell<usize>);

#[expect(unsafe_code, reason = "implements an unsafe trait")]
// SAFETY: hands everything to the standard library's allocator, or refuses.
unsafe impl Allocator for &Stubborn {
    fn allocate(
        &self,
        layout: std::alloc::Layout,
    ) -> Result<std::ptr::NonNull<[u8]>, sharded_arena::allocator_api2::alloc::AllocError> {
        if *self.0.borrow() == 1 {
            return Err(sharded_arena::allocator_api2::alloc::AllocError);
        }
        *self.0.borrow_mut() += 1;
        sharded_arena::allocator_api2::alloc::Global.allocate(layout)
    }
    unsafe fn deallocate(&self, ptr: std::ptr::NonNull<u8>, layout: std::alloc::Layout) {
        *self.0.borrow_mut() -= 1;
        // SAFETY: the caller's contract.
        unsafe { sharded_arena::allocator_api2::alloc::Global.deallocate(ptr, layout) }
    }
}

#[test]
fn vector_is_returned_when_refused() {
    let (stubborn, log) = (Stubborn::default(), Log::default());
    let mut values = sharded_arena::allocator_api2::vec::Vec::with_capacity_in(9, &stubborn);
    values.extend((0..3).map(|_| log.make()));
    let refused = boxed::Box::try_from_vec(values).expect_err("it shrinks nothing");
    assert_eq!((refused.error.requested(), refused.value.len()), (3 * size_of::<Tracked>(), 3));
    let refused = boxed::Arc::try_from_vec(refused.into_value()).expect_err("no second block");
    assert_eq!((refused.value.capacity(), refused.value[2].id, log.figures()), (9, 2, (3, 0)));
    let text = panic_text(|| drop(boxed::Box::from_vec(refused.into_value())));
    assert_eq!(text, "the allocator refused 72 bytes (alignment 8)");
    log.assert_all_dropped(3);
    let values = (0..3).map(|_| log.make()).filter(|_| true);
    assert!(boxed::Box::try_from_iter_in(values, &stubborn).is_err(), "it cuts no room off");
    log.assert_all_dropped(6);
    assert_eq!(*stubborn.0.borrow(), 0, "every block came back");
}

#[test]
fn refused_string_shrink_panics() {
    let stubborn = Stubborn::default();
    let mut text = sharded_arena::collections::String::with_capacity_in(9, &stubborn);
    text.push_str("text");
    let refused = panic_text(|| drop(text.into_boxed_str()));
    assert_eq!(refused, "the allocator refused 4 bytes (alignment 1)");
    assert_eq!(*stubborn.0.borrow(), 0, "its block came back");
}
