//! `shared_arena`: pools of one type that threads share, whose items are behind boxes and counted handles. In the
//! original an arena has pages of 63 items, which go when the arena and all of its items have gone.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{assert_empty, steps};
use sharded_arena::boxed::{Arc as AArc, Box as ABox};
use sharded_arena::{Arena, Heap, Pool, Region};

fn heap() -> Heap {
    Heap::with_capacity(4 << 20).expect("a heap")
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// In the original a box keeps the page that it lies in, not the arena.
#[test]
fn shared_arena__handles_outlive_the_name_they_were_made_from() {
    let (boxed, shared, text) = {
        let heap = heap();
        let other = Heap::clone(&heap);
        drop(heap);
        (
            ABox::new_in([7_u64; 100], other.clone()),
            AArc::new_in(String::from("shared"), other.clone()),
            AArc::<str, Heap>::from_str_in("text", other),
        )
    };
    // Others come and go meanwhile, in heaps of their own.
    for n in 0..100_u8 {
        drop(ABox::new_in([n; 3000], heap()));
    }
    assert_eq!((*boxed, &**shared, &*text), ([7; 100], "shared", "text"));
    let again = ABox::new_in(*boxed, ABox::allocator(&boxed).clone());
    drop(boxed);
    assert_eq!((again[99], AArc::strong_count(&shared)), (7, 1));
    let heap = AArc::allocator(&shared).clone();
    drop((again, shared, text));
    assert_empty(&heap);
}

/// In the original a thread that drops an item of another's writes into the page's list.
#[test]
fn shared_arena__cross_thread_drop() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counted(u64);
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (heap, pool) = (heap(), Pool::new());
    let rounds = steps(400);
    for round in 0..rounds {
        let boxes: Vec<_> = (0..50).map(|n| ABox::new_in(Counted(n), heap.clone())).collect();
        let shared: Vec<_> = (0..50).map(|n| AArc::new_in(Counted(n), heap.clone())).collect();
        let keys: Vec<_> = (0..50).map(|n| pool.insert(Counted(n)).expect("room")).collect();
        let (met, copies) = (Barrier::new(2), shared.clone());
        thread::scope(|scope| {
            let (pool, met) = (&pool, &met);
            let both = |mine: Vec<AArc<Counted, Heap>>, boxes: Vec<ABox<Counted, Heap>>| {
                let keys = keys.clone();
                move || {
                    met.wait();
                    let sum = mine.iter().map(|shared| shared.0).sum::<u64>();
                    // Whoever is last drops; of two who remove, one does.
                    drop((mine, boxes));
                    (sum, keys.into_iter().filter(|key| pool.remove(*key)).count())
                }
            };
            let threads = [scope.spawn(both(shared, boxes)), scope.spawn(both(copies, Vec::new()))];
            let [first, second] = threads.map(|thread| thread.join().expect("no panic"));
            assert_eq!((first.0, second.0, first.1 + second.1), (1225, 1225, 50));
        });
        assert_eq!(DROPS.load(Ordering::Relaxed), (round + 1) * 150, "each once");
        assert_eq!((heap.live_bytes(), pool.len()), (0, 0));
    }
    assert_empty(&heap);
}

/// In the original a count is taken for each handle; so it is here, and it is exact whoever clones and drops.
#[test]
fn shared_arena__counted_handles() {
    let heap = heap();
    let shared = AArc::new_in([AtomicUsize::new(0), AtomicUsize::new(0)], &heap);
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            let mine = shared.clone();
            scope.spawn(move || {
                for n in 0..steps(8_000) {
                    let other = mine.clone();
                    other[n % 2].fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    assert_eq!(AArc::strong_count(&shared), 1);
    let [even, odd] = AArc::into_inner(shared).expect("the last handle");
    assert_eq!((even.into_inner(), odd.into_inner()), (2 * steps(8_000), 2 * steps(8_000)));
    assert_empty(&heap);
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// Counts what is made and what is dropped of it.
struct Made<'a>(&'a Cell<usize>, Rc<u64>);

impl<'a> Made<'a> {
    fn new(balance: &'a Cell<usize>) -> Self {
        balance.set(balance.get() + 1);
        Self(balance, Rc::new(7))
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        assert_eq!(*self.1, 7, "never built");
        self.0.set(self.0.get().checked_sub(1).expect("more dropped than made"));
    }
}

/// Panics at the call whose number is `bad`.
fn made_until<'a>(balance: &'a Cell<usize>, bad: usize) -> impl FnMut(usize) -> Made<'a> {
    move |n| {
        assert!(n != bad, "call {bad}");
        Made::new(balance)
    }
}

/// In the original the box is there before its value: when the initialiser panics, the box drops what was never
/// written.
#[test]
fn shared_arena__a_panicking_initialiser_drops_nothing_that_was_never_built() {
    let (heap, arena, pool) = (heap(), Arena::new(), Pool::<Made<'_>>::with_capacity(1).expect("a pool"));
    let balance = Cell::new(0);
    let fails = |call: &dyn Fn()| {
        catch_unwind(AssertUnwindSafe(call)).expect_err("it panics");
        assert_eq!((balance.get(), heap.live_bytes(), arena.live_bytes()), (0, 0, 0), "as much dropped as made");
    };
    // Before the first value, at each of them, behind the last but one.
    for bad in 0..10 {
        fails(&|| drop(ABox::<[Made<'_>], &Heap>::from_fn_in(10, made_until(&balance, bad), &heap)));
        fails(&|| drop(AArc::<[Made<'_>], &Heap>::from_fn_in(10, made_until(&balance, bad), &heap)));
        fails(&|| drop(ABox::<[Made<'_>], &Heap>::from_iter_in((0..10).map(made_until(&balance, bad)), &heap)));
        fails(&|| drop(AArc::<[Made<'_>], &Arena>::from_iter_in((0..10).map(made_until(&balance, bad)), &arena)));
        fails(&|| {
            arena.alloc_slice_fill_with(10, made_until(&balance, bad));
        });
    }
    fails(&|| {
        arena.alloc_with(|| made_until(&balance, 0)(0));
    });
    fails(&|| drop(ABox::new_in(made_until(&balance, 0)(0), &heap)));
    fails(&|| drop(AArc::new_in(made_until(&balance, 0)(0), &heap)));
    fails(&|| {
        // A place without a value yet drops none.
        let _place = ABox::<Made<'_>, &Heap>::new_uninit_in(&heap);
        let _shared = AArc::<Made<'_>, &Heap>::new_uninit_in(&heap);
        made_until(&balance, 0)(0);
    });
    for _ in 0..3 {
        fails(&|| {
            let reservation = pool.reserve().expect("the one slot is free");
            reservation.fill(made_until(&balance, 0)(0));
        });
        assert!(pool.is_empty());
    }
    drop(pool);
    assert_empty(&heap);
}

/// In the original a page goes when all of its 63 items have gone and somebody asks for it, or the arena goes.
#[test]
fn shared_arena__memory_returns_at_once() {
    let region = Region::builder().capacity(4 << 20).huge_pages(false).build().expect("a region");
    let (heap, pool) = (Heap::in_region(&region), Pool::in_region(&region));
    // Long ones go back to the region by their drop alone, whoever drops them, for whoever asks next.
    for _ in 0..steps(100) {
        let boxed = ABox::<[u8], Heap>::from_fn_in(3 << 20, |_| 7, heap.clone());
        let shared = AArc::<[u8], Heap>::copy_from_slice_in(&boxed[..512 << 10], heap.clone());
        assert!(region.memory_usage() >= (3 << 20) + (512 << 10));
        let other = shared.clone();
        drop(boxed);
        drop(shared);
        assert!(region.memory_usage() >= 512 << 10 && other[0] == 7, "a handle is left");
        thread::spawn(move || drop(other)).join().expect("no panic");
        assert_eq!((region.memory_usage(), heap.live_bytes()), (0, 0));
    }
    // Short ones may wait in their threads' caches: a sixteenth of the limit together, and only until somebody needs
    // them.
    thread::scope(|scope| {
        let fill = || {
            let boxes: Vec<_> = (0..4000_u64).map(|n| ABox::new_in([n; 16], &heap)).collect();
            drop(boxes);
            heap.memory_usage()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(fill)).collect();
        assert!(threads.into_iter().all(|thread| thread.join().expect("no panic") <= heap.limit()));
    });
    assert!(heap.live_bytes() == 0 && heap.memory_usage() <= (4 << 20) / 16, "{}", heap.stats());
    drop(ABox::<[u8], &Heap>::from_fn_in((4 << 20) - 4096, |_| 7, &heap));
    assert_eq!(heap.memory_usage(), 0, "they gave way");
    // A pool's slots go with the pool, a heap's blocks with its last handle, and with it the pages.
    let keys: Vec<_> = (0..1000_u64).map(|n| pool.insert([n; 16]).expect("room")).collect();
    let boxed = ABox::new_in([7_u64; 16], heap);
    assert!(keys.len() == 1000 && region.memory_usage() >= 1000 * 128);
    drop(pool);
    assert!(region.memory_usage() >= 128 && boxed[15] == 7);
    drop(boxed);
    assert_eq!(region.memory_usage(), 0);
    region.verify().expect("every byte is in one place");
}
