//! Threads that come and go, many at a time, and use a pool to their very end.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Barrier};
use std::thread;

use crate::support::{
    self, Log, Owning,
    pools::{assert_free, assert_returned, assert_settled, pool_alone},
};
use sharded_arena::{Key, Pool, Region};

/// More than have hints of their own.
const MANY: usize = 100;

#[test]
fn threads_without_hints_do_everything() {
    const EACH: usize = 40;
    let (pool, ledger) = (Pool::with_capacity(MANY * EACH).unwrap(), Log::shared());
    let (begin, half) = (Barrier::new(MANY), Barrier::new(MANY));
    let left: Vec<_> = thread::scope(|scope| {
        let work = || {
            // All of them live at the same time.
            begin.wait();
            let keys: Vec<_> = (0..EACH).map(|_| pool.insert(ledger.make_owning()).unwrap()).collect();
            half.wait();
            assert!(pool.insert(Log::shared().make_owning()).is_err() && pool.len() == MANY * EACH);
            half.wait();
            for round in 0..20 {
                for key in &keys[round..round + 5] {
                    let guard = pool.get(*key);
                    drop(guard);
                }
                let reservation = (pool.remove(keys[round])).then(|| pool.reserve().unwrap());
                if round % 2 == 0 {
                    reservation.unwrap().fill(ledger.make_owning());
                }
            }
            drop(pool.take(keys[EACH - 1]).unwrap());
            keys[20..EACH - 1].to_vec()
        };
        let threads: Vec<_> = (0..MANY).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // Of forty, twenty-one went, and ten came.
    assert_eq!((left.len(), pool.len()), (MANY * 19, MANY * 29));
    assert!(left.iter().all(|key| pool.contains(*key)));
    assert_free(&pool, MANY * 11, || Log::shared().make_owning());
    assert_settled(&pool);
    drop(pool);
    ledger.assert_all_dropped(MANY * 50);
}

/// As many threads as there are sets of hints have one each, and live on; four more share what is left.
#[test]
fn threads_without_hints_are_independent() {
    let pool = Pool::with_capacity(64 + 4 * 3).unwrap();
    let (all_have_one, go_on) = (Barrier::new(65), Barrier::new(65));
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let key = pool.insert((0, 0)).unwrap();
                all_have_one.wait();
                go_on.wait();
                assert!(pool.remove(key));
            });
        }
        all_have_one.wait();
        let work = |id: usize| {
            let pool = &pool;
            move || {
                for n in 0..support::steps(100_000) {
                    let keys = [0, 1, 2].map(|more| pool.insert((id, n + more)).unwrap());
                    assert!(keys.iter().zip(n..).all(|(key, n)| pool.take(*key) == Some((id, n))));
                }
            }
        };
        let threads = [1, 2, 3, 4].map(|id| scope.spawn(work(id)));
        // The others end also if one of these has panicked.
        let ended = threads.map(|thread| thread.join().is_ok());
        let len = pool.len();
        go_on.wait();
        assert_eq!((ended, len), ([true; 4], 64));
    });
    assert!(pool.is_empty());
    assert_free(&pool, 64 + 4 * 3, || (0, 0));
}

/// Each thread finds what one that ended before it knew of free slots, or is the first that does with one of the
/// sixty-four sets of hints there are.
#[test]
fn slots_of_exited_threads_are_found() {
    let (region, pool) = pool_alone::<[u64; 7]>(1 << 22);
    let bounded = Pool::with_capacity(20).unwrap();
    let mut kept: Vec<Key<usize>> = Vec::new();
    for n in 0..support::steps(20_000) {
        let (pool, bounded, last) = (&pool, &bounded, kept.pop());
        let key = thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let keys: Vec<_> = (0..20u64).map(|n| pool.insert([n; 7]).unwrap()).collect();
                assert!(keys.iter().all(|key| pool.remove(*key)));
                // What the last thread inserted goes, and takes its hint to another shard or the same.
                assert!(last.is_none_or(|key| bounded.take(key) == Some(n - 1)));
                let keys: Vec<_> = (0..20).map(|_| bounded.insert(n).unwrap()).collect();
                assert!(keys[1..].iter().all(|key| bounded.remove(*key)));
                keys[0]
            });
            thread.join().unwrap()
        });
        kept.push(key);
        assert!(pool.capacity() <= 64 * 64, "thread {n}: {} slots", pool.capacity());
    }
    assert_eq!((pool.len(), bounded.len()), (0, 1));
    assert_settled(&pool);
    assert_settled(&bounded);
    drop(pool);
    assert_returned(&region);
}

/// As above with some of them at a time, which never have more than two hundred values together.
#[test]
fn short_threads_keep_memory_bounded() {
    let (region, pool) = pool_alone::<[u64; 7]>(1 << 22);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..support::steps(2_000) {
                    let short = thread::spawn(|| {});
                    thread::scope(|scope| {
                        scope.spawn(|| {
                            let keys: Vec<_> = (0..50u64).map(|n| pool.insert([n; 7]).unwrap()).collect();
                            assert!(keys.iter().zip(0..).all(|(key, n)| pool.take(*key) == Some([n; 7])));
                        });
                    });
                    short.join().unwrap();
                }
            });
        }
    });
    // Values of four threads, and two batches of hints for each of those that are ending meanwhile.
    assert!(pool.capacity() <= 200 + 64 * 64 && pool.is_empty(), "{} slots", pool.capacity());
    assert_settled(&pool);
    drop(pool);
    assert_returned(&region);
}

// ---- at a thread's end ----------------------------------------------------------------------------------------------

struct AtEnd {
    pool: Arc<Pool<Owning>>,
    ledger: Arc<Log>,
    keys: Vec<Key<Owning>>,
}

impl Drop for AtEnd {
    /// Does everything once, and leaves one value more than it found.
    fn drop(&mut self) {
        let Self { pool, ledger, keys } = self;
        let guard = pool.get(keys[0]).unwrap();
        assert!(pool.remove(keys[0]) && pool.remove(keys[1]));
        drop((guard, pool.take(keys[2]).unwrap()));
        let [first, second, third] = pool.reserve_many().unwrap();
        assert!(!pool.contains(first.fill(ledger.make_owning())) || !pool.contains(second.key()));
        drop(second);
        assert!(pool.remove(third.fill(ledger.make_owning())));
        let many: Vec<_> = (0..100).map(|_| pool.insert(ledger.make_owning()).unwrap()).collect();
        assert!(many.iter().all(|key| pool.remove(*key)));
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    static POOL: RefCell<Option<Pool<Owning>>> = const { RefCell::new(None) };
}

#[test]
fn thread_local_destructors_use_the_pool() {
    let (pool, ledger) = (Arc::new(Pool::with_capacity(2_000).unwrap()), Log::shared());
    for round in 1..=20 {
        // Three at a time, so that they are at their ends together.
        let threads: Vec<_> = [true, false, true]
            .map(|pool_first| {
                let (pool, ledger) = (Arc::clone(&pool), Arc::clone(&ledger));
                thread::spawn(move || {
                    if !pool_first {
                        AT_END.with(|place| assert!(place.borrow().is_none()));
                    }
                    let keys = (0..3).map(|_| pool.insert(ledger.make_owning()).unwrap()).collect();
                    AT_END.set(Some(AtEnd { pool, ledger, keys }));
                })
            })
            .into();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((pool.len(), ledger.drops()), (3 * round, 3 * round * 104));
    }
    assert_free(&pool, 2_000 - 60, || Log::shared().make_owning());
    assert_settled(&pool);
    drop(Arc::into_inner(pool));
    ledger.assert_all_dropped(60 * 105);
}

#[test]
fn pool_is_dropped_at_thread_exit() {
    let region = Region::with_capacity(1 << 20).unwrap();
    for pool_first in [false, true] {
        let (ledger, region) = (Log::shared(), region.clone());
        let values = Arc::clone(&ledger);
        let thread = thread::spawn(move || {
            if !pool_first {
                POOL.with(|place| assert!(place.borrow().is_none()));
            }
            let pool = Pool::in_region(&region);
            (0..100).for_each(|_| assert!(pool.insert(values.make_owning()).is_ok()));
            std::mem::forget(pool.reserve());
            POOL.set(Some(pool));
        });
        thread.join().unwrap();
        ledger.assert_all_dropped(100);
    }
    assert_returned(&region);
}

// ---- from thread to thread ------------------------------------------------------------------------------------------

#[test]
fn pool_is_dropped_on_another_thread() {
    let ledger = Log::shared();
    let values = Arc::clone(&ledger);
    let made = thread::spawn(move || {
        let (region, pool) = pool_alone(1 << 20);
        let keys: Vec<_> = (0..300).map(|_| pool.insert(values.make_owning()).unwrap()).collect();
        assert!(keys.iter().step_by(3).all(|key| pool.remove(*key)));
        std::mem::forget(pool.get(keys[1]));
        (region, pool)
    });
    let (region, mut pool) = made.join().unwrap();
    assert_eq!((pool.len(), ledger.drops()), (200, 100));
    let ended = thread::spawn(move || {
        assert_eq!(pool.iter_mut().count(), 200);
        drop(pool);
        thread::current().id()
    });
    let id = ended.join().unwrap();
    ledger.assert_all_dropped(300);
    assert_eq!((0..300).filter(|n| ledger.droppers(*n) == [id]).count(), 200);
    assert_returned(&region);
}

/// Such a pool is one thread's at a time; where it goes its slots go.
#[test]
fn pool_of_unshared_values_moves_around() {
    let mut pool = Pool::with_capacity(100).unwrap();
    let mut keys: Vec<Key<Cell<usize>>> = Vec::new();
    for round in 0..50 {
        let moved = thread::spawn(move || {
            keys.iter().for_each(|key| pool.get(*key).unwrap().set(round));
            assert!(pool.iter().all(|(_, value)| value.get() == round));
            assert!(keys.drain(..).step_by(2).all(|key| pool.take(key).map(Cell::into_inner) == Some(round)));
            if round % 7 == 6 {
                pool.clear();
            }
            let free = 100 - pool.len();
            keys.extend((0..free).map(|n| pool.insert(Cell::new(n)).unwrap()));
            assert!(pool.insert(Cell::new(0)).is_err());
            keys = pool.iter().map(|(key, _)| key).collect();
            (pool, keys)
        });
        (pool, keys) = moved.join().unwrap();
        assert_eq!(pool.len(), 100);
    }
    assert_settled(&pool);
}

/// Threads go on with a pool that was cleared between two of their calls: no key from before names anything, and no
/// slot and no hint is lost.
#[test]
fn threads_outlive_a_cleared_pool() {
    const THREADS: usize = 8;
    const EACH: usize = 20;
    let pool = std::sync::RwLock::new(Pool::with_capacity(THREADS * EACH).unwrap());
    let met = Barrier::new(THREADS);
    thread::scope(|scope| {
        for id in 0..THREADS {
            let (pool, met) = (&pool, &met);
            scope.spawn(move || {
                let mut stale: Vec<Key<usize>> = Vec::new();
                for round in 0..30 {
                    let shared = pool.read().unwrap();
                    let keys: Vec<_> = (0..EACH).map(|_| shared.insert(round).expect("its part")).collect();
                    assert!(stale.iter().all(|key| !shared.contains(*key) && !shared.remove(*key)));
                    assert!(keys.iter().all(|key| shared.get(*key).is_some_and(|value| *value == round)));
                    met.wait();
                    assert!(shared.len() == THREADS * EACH && shared.insert(0).is_err());
                    met.wait();
                    assert!(keys.iter().take(EACH / 2).all(|key| shared.remove(*key)));
                    drop(shared);
                    stale = keys;
                    met.wait();
                    if id == round % THREADS {
                        let mut pool = pool.write().unwrap();
                        match round % 2 {
                            0 => pool.clear(),
                            _ => assert_eq!(pool.drain().count(), THREADS * EACH / 2),
                        }
                    }
                    met.wait();
                }
            });
        }
    });
    assert_free(&pool.into_inner().unwrap(), THREADS * EACH, || 0);
}
