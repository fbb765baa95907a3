//! `drop_arena`: single items that are dropped, and whose places are used again. In the original an item is dropped by
//! its box, but its place is free only if the box is handed to the arena, which is of one type and one thread.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use crate::support::{assert_empty, steps};
use sharded_arena::boxed::Box as ABox;
use sharded_arena::{Heap, Key, Pool, Region};

fn heap() -> Heap {
    Heap::with_capacity(1 << 20).expect("a heap")
}

fn at<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Where the value of `key` lies.
fn slot<T>(pool: &Pool<T>, key: Key<T>) -> usize {
    at(&*pool.get(key).expect("there"))
}

/// Counts its drops.
#[derive(Debug)]
struct Counts(Rc<Cell<usize>>, u64);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// The original puts a freed place on top of a list, and takes the next item's from there.
#[test]
fn drop_arena__a_dropped_item_s_slot_is_reused_at_once() {
    let (heap, pool) = (heap(), Pool::with_capacity(1).expect("a pool"));
    let _neighbours = (ABox::new_in([1_u64; 5], &heap), ABox::new_in([2_u64; 5], &heap));
    let boxed = ABox::new_in([0_u64; 5], &heap);
    let (first, usage) = (at(&*boxed), heap.memory_usage());
    drop(boxed);
    for n in 0..steps(40_000) as u64 {
        let boxed = ABox::new_in([n; 5], &heap);
        assert_eq!((at(&*boxed), boxed[4]), (first, n), "the place of the one before");
    }
    assert_eq!(heap.memory_usage(), usage, "and no other");
    let key = pool.insert([0_u64; 5]).expect("a slot");
    let first = slot(&pool, key);
    assert!(pool.remove(key));
    for n in 0..steps(40_000) as u64 {
        let key = pool.insert([n; 5]).expect("the slot is free at once");
        assert_eq!(slot(&pool, key), first);
        assert_eq!(pool.take(key), Some([n; 5]));
    }
}

/// Of many items any may go: the places of those that went are used before new ones.
#[test]
fn drop_arena__the_slots_of_dropped_items_are_used_before_new_ones() {
    let (heap, pool) = (heap(), Pool::new());
    let mut boxes: Vec<_> = (0..1000_u64).map(|n| ABox::new_in([n; 6], &heap)).collect();
    let mut keys: Vec<_> = (0..1000_u64).map(|n| pool.insert([n; 6]).expect("room")).collect();
    let (heap_peak, pool_usage) = (heap.peak_memory_usage(), pool.memory_usage());
    for round in 0..20 {
        for n in (round % 3..1000).step_by(3).rev() {
            drop(boxes.swap_remove(n));
            assert!(pool.remove(keys.swap_remove(n)));
        }
        while boxes.len() < 1000 {
            boxes.push(ABox::new_in([7; 6], &heap));
            keys.push(pool.insert([7; 6]).expect("room"));
        }
        assert!(heap.peak_memory_usage() <= heap_peak + heap.limit() / 16, "idle memory aside");
        assert_eq!(pool.memory_usage(), pool_usage);
    }
}

/// The original's `into_inner` gives the item and keeps its place; `box_into_inner` of the arena frees that too.
#[test]
fn drop_arena__into_inner() {
    let (heap, pool, drops) = (heap(), Pool::new(), Rc::new(Cell::new(0)));
    let boxed = ABox::new_in(Counts(Rc::clone(&drops), 7), &heap);
    let place = at(&*boxed);
    let value = ABox::into_inner(boxed);
    assert_eq!((value.1, drops.get(), heap.live_bytes()), (7, 0, 0), "moved out, not dropped, its place free");
    assert_eq!(at(&*ABox::new_in(Counts(Rc::clone(&drops), 8), &heap)), place);
    let key = pool.insert(value).expect("room");
    let value = pool.take(key).expect("there");
    assert_eq!((value.1, drops.get(), pool.len()), (7, 1, 0));
    drop(value);
    assert_eq!(drops.get(), 2);
    assert_empty(&heap);
}

/// The original's `leak` gives a reference as long as the arena's own life; the item is never dropped.
#[test]
fn drop_arena__leak() {
    let drops = Rc::new(Cell::new(0));
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let leaked: Vec<&mut Counts> =
        (0..100).map(|n| ABox::leak(ABox::new_in(Counts(Rc::clone(&drops), n), &heap))).collect();
    for _ in 0..100 {
        drop(ABox::new_in(Counts(Rc::clone(&drops), 1000), &heap));
    }
    assert!(leaked.iter().enumerate().all(|(n, counts)| counts.1 == n as u64), "their places are nobody else's");
    assert_eq!((drops.get(), heap.live_bytes()), (100, 100 * size_of::<Counts>()));
    drop(heap);
    assert_eq!(drops.get(), 100, "never");
    assert_eq!(region.memory_usage(), 100 * size_of::<Counts>().next_multiple_of(16), "and stay charged");
    region.verify().expect("every byte is in one place");
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// In the original an item that goes out of scope is dropped and its place is lost until the arena goes.
#[test]
fn drop_arena__a_plain_drop_reclaims() {
    let (heap, drops) = (Heap::with_capacity(64 << 10).expect("a heap"), Rc::new(Cell::new(0)));
    let rounds = steps(40_000);
    for n in 0..rounds {
        let _goes_out_of_scope = ABox::new_in((Counts(Rc::clone(&drops), 1), [0_u8; 1000]), &heap);
        assert_eq!(drops.get(), n);
    }
    assert_eq!((drops.get(), heap.live_bytes()), (rounds, 0), "1,000 times what the heap has");
    // Also as a part of something else, or in the middle of a panic.
    let mut list: Vec<Option<ABox<Counts, &Heap>>> = Vec::new();
    list.extend((0..50).map(|n| Some(ABox::new_in(Counts(Rc::clone(&drops), n), &heap))));
    list[7] = None;
    list.truncate(20);
    drop(list);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let boxed = ABox::new_in(Counts(Rc::clone(&drops), 1), &heap);
        panic!("beside {}", boxed.1);
    }));
    assert!(caught.is_err());
    assert_eq!(drops.get(), rounds + 51);
    assert_empty(&heap);
}

type Item = (Arc<()>, [u64; 20]);
/// What one thread has made.
type Items<'a> = (Vec<ABox<Item, &'a Heap>>, Vec<Key<Item>>);

/// The original's boxes and its arena stay on their thread.
#[test]
fn drop_arena__from_any_thread() {
    let (heap, pool) = (heap(), Pool::with_capacity(400).expect("a pool"));
    let alive = Arc::new(());
    for _ in 0..steps(200) {
        let made: Vec<Items<'_>> = thread::scope(|scope| {
            let make = || {
                let value = |n: u64| (Arc::clone(&alive), [n; 20]);
                let boxes = (0..100).map(|n| ABox::new_in(value(n), &heap)).collect();
                (boxes, (0..100).map(|n| pool.insert(value(n)).expect("room")).collect())
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!((Arc::strong_count(&alive), pool.len()), (801, 400));
        thread::scope(|scope| {
            let drop_them = |(boxes, keys): Items<'_>| {
                assert!((0..).zip(&boxes).all(|(n, boxed)| boxed.1 == [n; 20]));
                drop(boxes);
                assert!(keys.into_iter().all(|key| pool.remove(key)));
            };
            let threads: Vec<_> = made.into_iter().map(|made| scope.spawn(move || drop_them(made))).collect();
            for thread in threads {
                thread.join().expect("no panic");
            }
        });
        assert_eq!((Arc::strong_count(&alive), heap.live_bytes(), pool.len()), (1, 0, 0));
    }
    assert_empty(&heap);
}

/// Panics in its destructor, after it was counted.
struct Panics(Rc<Cell<usize>>);

impl Drop for Panics {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        panic!("a destructor");
    }
}

/// In the original the place of an item whose destructor panics is lost.
#[test]
fn drop_arena__a_panic_in_drop_still_reclaims() {
    let (heap, pool, drops) = (heap(), Pool::with_capacity(1).expect("a pool"), Rc::new(Cell::new(0)));
    let first = at(&*ABox::new_in([0_u64; 2], &heap));
    for n in 1..=100 {
        let boxed = ABox::new_in((Panics(Rc::clone(&drops)), 0_u64), &heap);
        assert_eq!(at(&*boxed), first, "the place of the one before");
        let panic = catch_unwind(AssertUnwindSafe(|| drop(boxed))).expect_err("it panics");
        assert_eq!((panic.downcast_ref(), drops.get(), heap.live_bytes()), (Some(&"a destructor"), n, 0));
    }
    for n in 101..=200 {
        let key = pool.insert(Panics(Rc::clone(&drops))).expect("the one slot is free");
        catch_unwind(AssertUnwindSafe(|| pool.remove(key))).expect_err("it panics");
        assert_eq!((drops.get(), pool.len(), pool.contains(key)), (n, 0, false));
    }
    // By the last guard of a value that was removed under it.
    let key = pool.insert(Panics(Rc::clone(&drops))).expect("the one slot is free");
    let guard = pool.get(key).expect("there");
    assert!(pool.remove(key) && pool.insert(Panics(Rc::clone(&drops))).map_err(std::mem::forget).is_err());
    catch_unwind(AssertUnwindSafe(|| drop(guard))).expect_err("it panics");
    assert_eq!((drops.get(), pool.len()), (201, 0));
    std::mem::forget(pool.take(pool.insert(Panics(Rc::clone(&drops))).expect("the one slot is free")));
    assert_empty(&heap);
}

/// The original's arena is borrowed by its own items for as long as it lives: once it was used it cannot be moved, and
/// no struct can have the arena and an item of it.
#[test]
fn drop_arena__the_arena_stays_movable() {
    struct Owner {
        items: Vec<ABox<String, Heap>>,
        heap: Heap,
        pool: Pool<String>,
        keys: Vec<Key<String>>,
    }
    fn make() -> Owner {
        let (heap, pool) = (heap(), Pool::new());
        let items = (0..100).map(|n| ABox::new_in(format!("item {n}"), heap.clone())).collect();
        let keys = (0..100).map(|n| pool.insert(format!("item {n}")).expect("room")).collect();
        Owner { items, heap, pool, keys }
    }
    let owner = Box::new(make());
    let places: Vec<usize> = owner.items.iter().map(|item| at(&**item)).collect();
    let slots: Vec<usize> = owner.keys.iter().map(|key| slot(&owner.pool, *key)).collect();
    let moved = *owner;
    let moved = thread::spawn(move || [moved]).join().expect("no panic");
    let [Owner { items, heap, pool, keys }] = moved;
    assert_eq!(items.iter().map(|item| at(&**item)).collect::<Vec<_>>(), places, "what lies in it does not move");
    assert_eq!(keys.iter().map(|key| slot(&pool, *key)).collect::<Vec<_>>(), slots);
    for (n, (item, key)) in items.into_iter().zip(keys).enumerate() {
        assert_eq!((*item == format!("item {n}"), pool.take(key)), (true, Some(format!("item {n}"))));
    }
    assert_eq!(pool.len(), 0);
    assert_empty(&heap);
}
