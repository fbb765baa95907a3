//! Values that several handles own: who changes them, who gets them out, which thread drops them.
#![expect(clippy::needless_pass_by_value, reason = "each test takes an allocator as its owners do")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::support::{self, Log, Tracked, boxes::Figures, panic_of, panic_text};
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::boxed::{Arc, Box};
use sharded_arena::{Arena, Heap};

const THREADS: usize = 8;

#[test]
fn last_handle_drops_the_value() {
    fn shared(alloc: impl Allocator + Clone + Figures) {
        let (log, before) = (Log::default(), alloc.live());
        let one = Arc::new_in(log.make(), alloc.clone());
        let two = one.clone();
        let other = Arc::new_in(log.make(), alloc.clone());
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&other)), (2, 1));
        drop(one);
        assert_eq!((log.figures(), Arc::strong_count(&two)), ((2, 0), 1));
        drop(two);
        assert_eq!(log.figures(), (2, 1));
        drop(other);
        log.assert_all_dropped(2);
        assert_eq!(alloc.live(), before);
    }
    everywhere!(1 << 14, shared);
}

#[test]
fn zero_sized_values_have_own_counts() {
    let heap = support::heap(1 << 14, false);
    let (one, two) = (Arc::new_in((), &heap), Arc::new_in((), &heap));
    assert!(!Arc::ptr_eq(&one, &two));
    assert_eq!((Arc::strong_count(&one.clone()), Arc::strong_count(&two)), (2, 1));
    drop((one, two));
    support::assert_empty(&heap);
}

#[test]
fn only_a_sole_handle_is_mutable() {
    fn alone(alloc: impl Allocator + Clone + Figures) {
        let (log, before) = (Log::default(), alloc.live());
        let mut one = Arc::new_in((1, log.make()), alloc.clone());
        Arc::get_mut(&mut one).expect("the only handle").0 = 2;
        let mut two = one.clone();
        assert!(Arc::get_mut(&mut one).is_none() && Arc::get_mut(&mut two).is_none());
        let one = Arc::try_unwrap(one).expect_err("there is another");
        assert_eq!(Arc::strong_count(&one), 2);
        drop(two);
        let value = Arc::try_unwrap(one).expect("the only handle");
        assert_eq!((value.0, log.figures(), alloc.live()), (2, (1, 0), before));
        let (one, two) = (Arc::new_in(value, alloc.clone()), Arc::new_in(3, alloc.clone()));
        let three = one.clone();
        assert!(Arc::into_inner(one).is_none());
        assert_eq!(Arc::into_inner(three).map(|value| value.0), Some(2));
        assert_eq!(Arc::into_inner(two), Some(3));
        log.assert_all_dropped(1);
        assert_eq!(alloc.live(), before);
    }
    everywhere!(1 << 14, alone);
}

#[test]
fn make_mut_clones_a_shared_value() {
    fn changed(alloc: impl Allocator + Clone + Figures) {
        let (log, before) = (Log::default(), alloc.live());
        let mut one = Arc::new_in((1, log.make()), alloc.clone());
        Arc::make_mut(&mut one).0 = 2;
        assert_eq!(log.figures(), (1, 0), "the only handle's value is not cloned");
        let two = one.clone();
        Arc::make_mut(&mut one).0 = 3;
        assert_eq!((one.0, two.0, log.figures(), Arc::strong_count(&two)), (3, 2, (2, 0), 1));
        assert!(!Arc::ptr_eq(&one, &two));
        drop((one, two));
        log.assert_all_dropped(2);
        assert_eq!(alloc.live(), before);
    }
    everywhere!(1 << 14, changed);
}

#[test]
fn refused_clone_changes_nothing() {
    fn refused(alloc: impl Allocator + Clone + Figures) {
        let (log, left) = (Log::default(), std::cell::Cell::new(1));
        let value = (support::boxes::ClonesUntil(log.make(), &left), [7u8; 7000]);
        let mut one = Arc::new_in(value, alloc.clone());
        let (two, live) = (one.clone(), alloc.live());
        let refused = Arc::try_make_mut(&mut one).err().expect("there is no room for two");
        assert_eq!((refused.value.1[6999], log.figures()), (7, (2, 0)));
        assert_eq!(refused.error.cause().map(|cause| cause.align), Some(8));
        drop(refused);
        assert_eq!(panic_text(|| Arc::make_mut(&mut one).1[0] = 8), "step");
        left.set(1);
        assert!(panic_text(|| Arc::make_mut(&mut one).1[0] = 8).contains(" 70"));
        assert!(Arc::ptr_eq(&one, &two) && Arc::strong_count(&one) == 2);
        assert_eq!((alloc.live(), log.figures()), (live, (3, 2)));
    }
    everywhere!(1 << 13, refused);
}

/// Its clone takes the other handle's place as the last: it drops that one.
struct Leaves<'l>(Tracked<'l>, std::rc::Rc<std::cell::RefCell<Option<Arc<Leaves<'l>, Heap>>>>);
impl Clone for Leaves<'_> {
    fn clone(&self) -> Self {
        let other = self.1.take();
        drop(other);
        Self(self.0.clone(), self.1.clone())
    }
}

#[test]
fn value_left_by_make_mut_panics() {
    let (heap, log) = (support::heap(1 << 14, false), Log::default());
    let kept = std::rc::Rc::default();
    let mut one = Arc::new_in(Leaves(log.make_panicking(), std::rc::Rc::clone(&kept)), heap.clone());
    kept.replace(Some(one.clone()));
    assert_eq!(panic_text(|| Arc::make_mut(&mut one).0.id), panic_of(0));
    assert_eq!((one.0.id, log.figures(), Arc::strong_count(&one)), (1, (2, 1), 1), "the clone has taken its place");
    drop(one);
    log.assert_all_dropped(2);
    support::assert_empty(&heap);
}

#[test]
fn leaked_handles_stay_counted() {
    let heap = support::heap(1 << 14, false);
    let one = Arc::new_in(String::from("leaked"), heap.clone());
    let leaked: &'static String = Arc::leak(one.clone());
    assert_eq!(Arc::strong_count(&one), 2);
    let one = Arc::try_unwrap(one).expect_err("the leaked one is another");
    drop((one, heap));
    assert_eq!(leaked, "leaked");
}

#[test]
fn raw_handle_is_unsized() {
    let (heap, log) = (support::heap(1 << 14, true), Log::default());
    let other = Arc::new_in([(); 3].map(|()| log.make()), &heap);
    let (raw, alloc) = Arc::into_raw_with_allocator(other.clone());
    let raw: *const [Tracked<'_>] = raw;
    #[expect(unsafe_code, reason = "puts together what was taken apart")]
    // SAFETY: given away above; the slice is the whole array.
    let slice: Arc<[Tracked<'_>], _> = unsafe { Arc::from_raw_in(raw, alloc) };
    assert_eq!((slice.len(), slice[2].id, Arc::strong_count(&other)), (3, 2, 2));
    drop(other);
    assert_eq!(log.figures(), (3, 0));
    drop(slice);
    log.assert_all_dropped(3);
    support::assert_empty(&heap);
}

/// Every thread clones, reads, and drops handles of all values; the value goes with the last, wherever that is.
fn storm<A: Allocator + Clone + Send + Sync>(alloc: A, rounds: usize) {
    for _ in 0..rounds {
        let log = Log::default();
        let values: Vec<_> = (0..4).map(|n| Arc::new_in((n, log.make()), alloc.clone())).collect();
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            let (start, log) = (&start, &log);
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (mine, alloc) = (values.clone(), alloc.clone());
                    scope.spawn(move || {
                        start.wait();
                        for step in 0..100 {
                            let copies: Vec<_> = mine.iter().cycle().skip(thread + step).take(5).cloned().collect();
                            assert!(copies.iter().all(|copy| copy.0 == copy.1.id));
                        }
                        drop(mine);
                        drop(Box::new_in(log.make(), alloc));
                    })
                })
                .collect();
            drop(values);
            for thread in threads {
                thread.join().expect("no panic");
            }
        });
        log.assert_all_dropped(4 + THREADS);
    }
}

#[test]
fn concurrent_clones_drop_value_once() {
    let rounds = support::steps(80);
    for checked in [false, true] {
        let heap = support::heap(1 << 20, checked);
        storm(&heap, rounds);
        support::assert_empty(&heap);
        storm(heap.clone(), rounds);
        support::assert_empty(&heap);
    }
    let arena = Arena::with_capacity(1 << 20).expect("an arena");
    storm(&arena, rounds);
    assert_eq!(arena.live_bytes(), 0);
}

/// Two threads that meet at every value, many values long: their takes overlap again and again.
#[test]
fn two_concurrent_takers_share_one_value() {
    let (heap, rounds) = (support::heap(8 << 20, false), support::steps(40_000));
    let (taken, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ones: Vec<_> = (0..rounds).map(|n| Arc::new_in(n, &heap)).collect();
    let others = ones.clone();
    thread::scope(|scope| {
        let (taken, met) = (&taken, &met);
        // The one that comes second goes on at once, the other sees it later: it is ahead by more and more, then again.
        let take = |values: Vec<Arc<usize, &Heap>>, most: usize| {
            for (round, value) in values.into_iter().enumerate() {
                met.fetch_add(1, Relaxed);
                let mut looks = 0;
                while met.load(Relaxed) < 2 * (round + 1) {
                    looks += 1;
                    if looks % 100 == 0 {
                        thread::yield_now();
                    }
                }
                for _ in 0..round % most {
                    std::hint::spin_loop();
                }
                taken.fetch_add(usize::from(Arc::into_inner(value).is_some()), Relaxed);
            }
        };
        let threads = [scope.spawn(move || take(ones, 1)), scope.spawn(move || take(others, 40))];
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    assert_eq!(taken.into_inner(), rounds);
    support::assert_empty(&heap);
}

#[test]
fn eight_concurrent_takers_share_one_value() {
    let heap = support::heap(1 << 20, true);
    for _ in 0..support::steps(400) {
        let (log, taken, start) = (Log::default(), AtomicUsize::new(0), Barrier::new(THREADS));
        let value = Arc::new_in(log.make(), heap.clone());
        thread::scope(|scope| {
            let (taken, start) = (&taken, &start);
            let take = |value: Arc<Tracked<'_>, Heap>| {
                start.wait();
                if let Some(value) = Arc::into_inner(value) {
                    taken.fetch_add(1 + value.id, Relaxed);
                }
            };
            let mut handles = vec![value; THREADS];
            let threads: Vec<_> = handles.drain(..).map(|value| scope.spawn(move || take(value))).collect();
            for thread in threads {
                thread.join().expect("no panic");
            }
        });
        assert_eq!(taken.into_inner(), 1);
        log.assert_all_dropped(1);
    }
    support::assert_empty(&heap);
}
