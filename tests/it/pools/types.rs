//! Values of every shape: none, large, over-aligned, with niches, that are not shared; none of them ever moves.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Debug;
use std::num::NonZeroU8;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::support::pools::{assert_free, assert_returned, assert_settled};
use sharded_arena::{Key, Pool};

/// Runs `body` with room for values of a mebibyte, which are on the stack several times without optimisation.
fn on_a_long_stack(body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(64 << 20).spawn(body).unwrap().join().unwrap();
}

/// In a pool of exactly `slots` slots: values keep their addresses, aligned and apart, whatever comes and goes.
fn stays<T: PartialEq + Debug>(slots: usize, make: impl Fn(usize) -> T) {
    let mut pool = Pool::with_capacity(slots).unwrap();
    let region = pool.region().unwrap();
    let address = |pool: &Pool<T>, key: Key<T>| (&raw const *pool.get(key).unwrap()).addr();
    let mut placed: Vec<(Key<T>, usize, usize)> = Vec::new();
    for round in 0..3 {
        for n in placed.len()..slots {
            let key = pool.insert(make(n + round)).unwrap_or_else(|full| panic!("value {n}: {full}"));
            placed.push((key, n + round, address(&pool, key)));
        }
        assert_eq!((pool.insert(make(0)).unwrap_err().value, pool.len()), (make(0), slots));
        for (key, n, at) in &placed {
            assert_eq!((*pool.get(*key).unwrap() == make(*n), address(&pool, *key)), (true, *at));
            assert!(at.is_multiple_of(align_of::<T>()));
            assert!(size_of::<T>() == 0 || region.contains(std::ptr::without_provenance(*at)));
        }
        let mut apart: Vec<_> = placed.iter().map(|(_, _, at)| *at).collect();
        apart.sort_unstable();
        assert!(apart.windows(2).all(|pair| pair[1] - pair[0] >= size_of::<T>().max(1)), "two values overlap");
        let exclusive: Vec<_> = pool.iter_mut().map(|(key, value)| (key, (&raw const *value).addr())).collect();
        assert_eq!(
            exclusive.into_iter().collect::<HashSet<_>>(),
            placed.iter().map(|(key, _, at)| (*key, *at)).collect()
        );
        assert_settled(&pool);
        let mut at = 0;
        placed.retain(|(key, n, _)| {
            at += 1;
            let goes = at % 3 == round;
            assert!(!goes || pool.take(*key) == Some(make(*n)));
            !goes
        });
    }
    assert!(pool.memory_usage() <= region.capacity());
    pool.clear();
    assert_free(&pool, slots, || make(1));
    drop(pool);
    assert_returned(&region);
}

/// `stays` for every number of slots up to some.
fn stays_up_to<T: PartialEq + Debug>(most: usize, make: impl Fn(usize) -> T) {
    (1..=most).for_each(|slots| stays(slots, &make));
}

#[repr(align(128))]
#[derive(PartialEq, Debug)]
struct Aligned128(u8);

#[repr(align(4096))]
#[derive(PartialEq, Debug)]
struct Aligned4096(u64);

#[repr(align(8192))]
#[derive(PartialEq, Debug)]
struct Aligned8192(u64);

#[repr(align(65536))]
#[derive(PartialEq, Debug)]
struct Aligned65536(u64);

#[test]
fn values_of_every_size_fit() {
    stays_up_to(70, |n| n);
    stays(600, |n| u8::try_from(n % 251).unwrap());
    stays(600, |n| [n; 3]);
    stays_up_to(40, |n| [u8::try_from(n % 251).unwrap(); 9]);
    stays_up_to(40, |n| [n; 63]);
    stays_up_to(10, |n| [n; 300]);
    stays_up_to(10, |n| [n; 511]);
    stays_up_to(10, |n| [n; 512]);
    stays_up_to(10, |n| [n; 2000]);
}

#[test]
fn over_aligned_values_are_aligned() {
    stays_up_to(40, |n| Aligned128(u8::try_from(n).unwrap()));
    on_a_long_stack(|| {
        stays_up_to(20, |n| Aligned4096(n as u64));
        stays_up_to(20, |n| Aligned8192(n as u64));
        stays_up_to(10, |n| Aligned65536(n as u64));
    });
}

#[test]
fn values_with_niches_are_unchanged() {
    stays(300, |n| NonZeroU8::new(u8::try_from(n % 255 + 1).unwrap()));
    stays(300, |n| (n % 2 == 0).then(|| Box::new(n)));
    stays(300, |n| n % 2 == 0);
    stays(300, |n| if n % 2 == 0 { Ok("text") } else { Err(String::from("another")) });
    stays(300, |n| vec![n; n % 3]);
}

#[test]
fn zero_sized_values_are_counted() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    #[derive(Debug)]
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Relaxed);
        }
    }
    stays(600, |_| ());
    stays(5, |_| [0u128; 0]);
    let mut pool = Pool::with_capacity(2_000).unwrap();
    let keys: Vec<_> = (0..2_000).map(|_| pool.insert(Nothing).unwrap()).collect();
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 2_000);
    drop(pool.insert(Nothing).unwrap_err());
    assert_eq!((pool.len(), DROPS.load(Relaxed)), (2_000, 1));
    assert!(keys[..500].iter().all(|key| pool.remove(*key)));
    assert!(keys[500..600].iter().all(|key| pool.take(*key).is_some()));
    assert_eq!((pool.iter().count(), pool.iter_mut().count(), DROPS.load(Relaxed)), (1_400, 1_400, 601));
    assert_eq!(pool.drain().take(100).count(), 100);
    assert_eq!((pool.len(), DROPS.load(Relaxed)), (0, 2_001));
    pool.insert(Nothing).unwrap();
    drop(pool);
    assert_eq!(DROPS.load(Relaxed), 2_002);
}

#[test]
#[expect(clippy::large_stack_arrays, reason = "a stack of its own")]
fn mebibyte_values_are_stored() {
    on_a_long_stack(|| {
        let pool = Pool::with_capacity(5).unwrap();
        let region = pool.region().unwrap();
        for round in 0..3 {
            let keys: Vec<_> = (0..5u8).map(|n| pool.insert([n + round; 1 << 20]).unwrap()).collect();
            assert!(pool.reserve().is_err());
            for (key, n) in keys.iter().zip(round..) {
                assert!(pool.get(*key).unwrap().iter().all(|byte| *byte == n));
            }
            assert!(keys.iter().all(|key| pool.remove(*key)));
        }
        assert!(pool.memory_usage() >= 5 << 20 && pool.memory_usage() <= region.capacity());
        assert_settled(&pool);
        drop(pool);
        assert_returned(&region);
    });
}

/// A value that counts, in what it shares with others of its thread, and logs its drop there.
struct Logs<'l>(usize, &'l RefCell<Vec<usize>>, #[expect(dead_code, reason = "is counted")] Rc<()>, Cell<u8>);

impl Drop for Logs<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn slot_larger_than_stack_is_filled() {
    type Long = std::mem::MaybeUninit<[u8; 16 << 20]>;
    let reserves = || {
        let pool = Pool::<Long>::with_capacity(1).expect("memory");
        let key = pool.reserve().expect("a slot").key();
        assert!(!pool.contains(key) && pool.reserve().is_ok());
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(reserves).unwrap().join().unwrap();
}

#[test]
fn unshared_values_stay_on_one_thread() {
    let (rc, log) = (Rc::new(()), RefCell::new(Vec::new()));
    let pool = Pool::new();
    let keys: Vec<_> = (0..5).map(|n| pool.insert(Logs(n, &log, Rc::clone(&rc), Cell::new(0))).unwrap()).collect();
    let guards: Vec<_> = keys.iter().map(|key| pool.get(*key).unwrap()).collect();
    guards.iter().for_each(|guard| guard.3.set(guard.3.get() + 1));
    assert!(pool.remove(keys[3]) && pool.remove(keys[1]));
    assert!(log.borrow().is_empty());
    drop(guards);
    assert_eq!(*log.borrow(), [1, 3]);
    assert!(pool.remove(keys[4]) && pool.iter().all(|(_, value)| value.3.get() == 1));
    drop(pool);
    assert_eq!((log.into_inner(), Rc::strong_count(&rc)), (vec![1, 3, 4, 0, 2], 1));
}

/// An exclusive look at each value in turn, all of which live on.
#[test]
fn iter_mut_lends_all_values_together() {
    let mut pool = Pool::new();
    let keys: Vec<_> = (0..1_000).map(|n| pool.insert(n).unwrap()).collect();
    assert!(keys.iter().step_by(3).all(|key| pool.remove(*key)));
    let mut all: Vec<_> = pool.iter_mut().map(|(_, value)| value).collect();
    all.iter_mut().for_each(|value| **value += 1);
    all.reverse();
    all.iter_mut().for_each(|value| **value *= 2);
    assert_eq!(all.len(), 666);
    for (_, value) in &mut pool {
        *value -= 2;
    }
    assert!((0..1_000).all(|n| pool.get(keys[n]).map(|value| *value) == (n % 3 != 0).then_some(2 * n)));
}
