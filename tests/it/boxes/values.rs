//! Boxes over a heap: the block comes back whatever the value's destructor does, on any thread.
#![expect(unsafe_code, reason = "boxes of values that were put in place by hand")]

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Write;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::support::assert_empty;
use sharded_arena::allocator_api2::alloc::{AllocError, Allocator};
use sharded_arena::boxed::Box;
use sharded_arena::{Heap, unsize};
use std::alloc::Layout;

fn heap() -> Heap {
    Heap::with_capacity(1 << 20).expect("a heap")
}

/// Counts its drops.
struct Counts<'c>(&'c Cell<u32>, u64);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Panics when dropped.
struct Panics(#[allow(dead_code, reason = "gives it a size")] u64);

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("a destructor panics");
    }
}

#[test]
fn panicking_destructor_frees_the_block() {
    let heap = heap();
    let drop_panics = |run: &dyn Fn()| catch_unwind(AssertUnwindSafe(run)).expect_err("the destructor's panic passes");
    drop_panics(&|| drop(Box::new_in(Panics(1), &heap)));
    drop_panics(&|| drop(Box::new_in([const { Panics(1) }; 1], heap.clone())));
    drop_panics(&|| drop(Box::into_inner(Box::new_in(Panics(1), &heap))));
    // With a panic under way: the box is dropped by it.
    let drops = Cell::new(0);
    drop_panics(&|| {
        let _boxed = Box::new_in(Counts(&drops, 1), &heap);
        panic!("under way");
    });
    assert_eq!(drops.get(), 1);
    assert_empty(&heap);
}

#[test]
fn into_inner_frees_the_block() {
    let (heap, drops) = (heap(), Cell::new(0));
    let value = Box::into_inner(Box::new_in(Counts(&drops, 9), &heap));
    assert_eq!((value.1, drops.get()), (9, 0));
    assert_empty(&heap);
    drop(value);
    assert_eq!(drops.get(), 1);
    assert_eq!(Box::into_inner(Box::new_in([1u8; 700], heap.clone())), [1; 700]);
    assert_empty(&heap);
}

#[test]
fn leaked_and_raw_boxes_are_recovered() {
    let (heap, drops) = (heap(), Cell::new(0));
    let leaked: &mut Counts = Box::leak(Box::new_in(Counts(&drops, 1), &heap));
    leaked.1 = 2;
    let leaked = std::ptr::from_mut(leaked);
    assert_eq!((drops.get(), heap.live_bytes()), (0, 16));
    // SAFETY: leaked above, from this heap, and not used any more.
    let again = unsafe { Box::from_raw_in(leaked, &heap) };
    let (raw, allocator) = Box::into_raw_with_allocator(again);
    assert_eq!((drops.get(), heap.live_bytes()), (0, 16));
    // SAFETY: given away above.
    drop(unsafe { Box::from_raw_in(raw, allocator) });
    assert_eq!(drops.get(), 1);
    assert_empty(&heap);
}

#[test]
fn leaked_handle_keeps_its_heap() {
    let kept: &'static mut [u64; 64] = Box::leak(Box::new_in([5; 64], heap()));
    let other = Box::new_in([6u64; 64], heap());
    kept[63] = 7;
    assert_eq!((kept[0], kept[63], other[0]), (5, 7, 6));
}

#[test]
fn box_keeps_its_heap_alive() {
    let boxed = Box::new_in(String::from("outlives the name of its heap"), heap());
    let clone = boxed.clone();
    drop(boxed);
    assert_eq!(*clone, "outlives the name of its heap");
    assert_eq!(Box::allocator(&clone).live_bytes(), size_of::<String>());
}

#[test]
fn boxes_are_dropped_on_other_threads() {
    let heap = heap();
    let boxes: Vec<_> = (0..100u64).map(|n| Box::new_in([n; 9], heap.clone())).collect();
    let borrowed = Box::new_in(String::from("borrowed"), &heap);
    std::thread::scope(|scope| {
        let first = scope.spawn(move || boxes.iter().map(|boxed| boxed[8]).sum::<u64>());
        let second = scope.spawn(move || borrowed.len());
        assert_eq!((first.join().expect("joined"), second.join().expect("joined")), (4950, 8));
    });
    assert_empty(&heap);
}

/// An allocator that counts what is asked of it.
#[derive(Default)]
struct Asked(Cell<usize>, RefCell<Vec<Layout>>);

// SAFETY: hands everything to the heap that it is a witness of.
unsafe impl Allocator for &Asked {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.0.set(self.0.get() + 1);
        self.1.borrow_mut().push(layout);
        sharded_arena::allocator_api2::alloc::Global.allocate(layout)
    }
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        let at = self.1.borrow().iter().position(|live| *live == layout).expect("freed as it was allocated");
        self.1.borrow_mut().remove(at);
        // SAFETY: the caller's contract.
        unsafe { sharded_arena::allocator_api2::alloc::Global.deallocate(ptr, layout) }
    }
}

#[test]
fn zero_sized_values_take_no_memory() {
    thread_local!(static DROPS: Cell<u32> = const { Cell::new(0) });
    #[repr(align(128))]
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    let asked = Asked::default();
    let boxed = Box::new_in(Nothing, &asked);
    assert_eq!(std::ptr::from_ref(&*boxed).addr() % 128, 0);
    drop(boxed);
    assert_eq!(DROPS.get(), 1);
    drop(Box::into_inner(Box::new_in(Nothing, &asked)));
    assert_eq!((DROPS.get(), asked.0.get()), (2, 0));
}

#[test]
fn frees_pass_the_allocated_layout() {
    #[repr(align(512))]
    struct Aligned(u8);
    let asked = Asked::default();
    let boxed = Box::new_in(Aligned(3), &asked);
    assert_eq!((boxed.0, std::ptr::from_ref(&*boxed).addr() % 512), (3, 0));
    drop((boxed, Box::new_in([0u16; 3], &asked), Box::into_inner(Box::new_in(1u64, &asked))));
    assert_eq!((asked.0.get(), asked.1.borrow().len()), (3, 0));
}

#[test]
fn unsized_values_are_owned() {
    let (heap, drops) = (heap(), Cell::new(0));
    let (raw, allocator) = Box::into_raw_with_allocator(Box::new_in([1, 2, 3].map(|n| Counts(&drops, n)), &heap));
    // SAFETY: given away above; the slice is the whole array.
    let slice: Box<[Counts], _> = unsafe { Box::from_raw_in(raw as *mut [Counts], allocator) };
    assert_eq!(slice.iter().map(|counts| counts.1).sum::<u64>(), 6);
    drop(slice);
    assert_eq!(drops.get(), 3);
    let (raw, allocator) = Box::into_raw_with_allocator(Box::new_in(0..4u32, &heap));
    // SAFETY: given away above; the trait object is the same value.
    let boxed: Box<dyn Iterator<Item = u32>, _> =
        unsafe { Box::from_raw_in(raw as *mut dyn Iterator<Item = u32>, allocator) };
    assert_eq!(boxed.collect::<Vec<_>>(), [0, 1, 2, 3]);
    let (raw, allocator) = Box::into_raw_with_allocator(Box::new_in(*b"text", &heap));
    let text = std::ptr::slice_from_raw_parts_mut(raw.cast::<u8>(), 4) as *mut str;
    // SAFETY: given away above; four bytes of ASCII.
    let text: Box<str, _> = unsafe { Box::from_raw_in(text, allocator) };
    assert_eq!((&*text, text.to_string()), ("text", String::from("text")));
    let (raw, allocator) = Box::into_raw_with_allocator(Box::new_in([Panics(1)], &heap));
    // SAFETY: given away above; the slice is the whole array.
    let slice: Box<[Panics], _> = unsafe { Box::from_raw_in(raw as *mut [Panics], allocator) };
    drop(text);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(slice))).is_err());
    assert_empty(&heap);
}

#[test]
fn box_forwards_traits_to_value() {
    let heap = heap();
    let one = Box::new_in(1u64, &heap);
    assert_eq!(heap.live_bytes(), size_of::<u64>());
    assert!(std::ptr::eq(*Box::allocator(&one), &raw const heap));
    #[expect(clippy::mutable_key_type, reason = "the allocator is no part of the hash")]
    let mut set = HashSet::new();
    set.insert(Box::new_in(String::from("key"), &heap));
    assert!(set.contains(&String::from("key")), "it hashes as its value, and borrows as it");
    let mut text = Box::new_in(String::new(), &heap);
    write!(text.as_mut(), "{}", one.as_ref()).expect("a string");
    std::borrow::BorrowMut::<String>::borrow_mut(&mut text).push('!');
    assert_eq!(*text, "1!");
    let mut numbers = Box::new_in([1, 2, 3, 4, 5].into_iter(), &heap);
    assert_eq!((numbers.len(), numbers.size_hint()), (5, (5, Some(5))));
    assert_eq!(
        (numbers.next(), numbers.next_back(), numbers.nth(1), numbers.nth_back(0)),
        (Some(1), Some(5), Some(3), Some(4))
    );
    let error: &dyn std::error::Error = &Box::new_in(std::fmt::Error, &heap);
    assert_eq!(error.to_string(), std::fmt::Error.to_string());
    drop((set, numbers, text, one));
    assert_eq!(heap.live_bytes(), 0);
}

#[test]
fn boxed_futures_are_polled() {
    struct Third(u32);
    impl Future for Third {
        type Output = &'static str;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<&'static str> {
            self.0 += 1;
            if self.0 == 3 { Poll::Ready("third") } else { Poll::Pending }
        }
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut boxed = Box::new_in(Third(1), heap());
    assert!(Pin::new(&mut boxed).poll(&mut context).is_pending());
    assert_eq!(Pin::new(&mut boxed).poll(&mut context), Poll::Ready("third"));
    let mut pinned = Box::into_pin(Box::new_in(async { 7 }, heap()));
    assert_eq!(pinned.as_mut().poll(&mut context), Poll::Ready(7));
}

/// What the owner's expression makes on its way lives to the end of the statement, as in a call of a function.
#[test]
fn unsized_box_may_borrow_a_temporary() {
    let heap = heap();
    let shown = unsize!(Box::new_in(&String::from("temporary"), &heap), dyn std::fmt::Display).to_string();
    assert_eq!(shown, "temporary");
    assert_eq!(heap.live_bytes(), 0);
}
