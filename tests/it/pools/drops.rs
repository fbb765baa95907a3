//! Destructors of a pool's values: which panic, wherever they run, and on which thread that is.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, mpsc};
use std::thread;

use crate::support::{
    Log, Owning, panic_of, panic_text,
    pools::{assert_free, assert_returned, assert_settled},
};
use sharded_arena::{Key, Pool, PoolFull};

/// Enough for several segments.
const LEN: usize = 150;

#[test]
fn panic_in_remove_frees_the_slot() {
    let (pool, ledger) = (Pool::with_capacity(1).unwrap(), Log::shared());
    let mut before = None;
    for id in 0..100 {
        let key = pool.insert(ledger.make_owning_panicking()).unwrap();
        assert!(before.replace(key) != Some(key));
        assert_eq!(panic_text(|| assert!(pool.remove(key))), panic_of(id));
        assert!(pool.is_empty() && !pool.remove(key) && pool.get(key).is_none());
    }
    ledger.assert_all_dropped(100);
    assert_free(&pool, 1, || Log::shared().make_owning());
    assert_settled(&pool);
}

#[test]
fn panic_in_last_guard_frees_slot() {
    let (pool, ledger) = (Pool::with_capacity(1).unwrap(), Log::shared());
    for id in 0..100 {
        let key = pool.insert(ledger.make_owning_panicking()).unwrap();
        let (first, last) = (pool.get(key).unwrap(), pool.get(key).unwrap());
        assert!(pool.remove(key) && pool.is_empty());
        drop(first);
        assert!(ledger.droppers(id).is_empty() && pool.insert(Log::shared().make_owning()).is_err());
        assert_eq!(last.id, id);
        assert_eq!(panic_text(|| drop(last)), panic_of(id));
        assert!(pool.is_empty() && pool.get(key).is_none());
        assert_free(&pool, 1, || Log::shared().make_owning());
    }
    ledger.assert_all_dropped(100);
    assert_settled(&pool);
}

#[test]
fn taken_values_panic_in_the_caller() {
    let (pool, ledger) = (Pool::with_capacity(1).unwrap(), Log::shared());
    let key = pool.insert(ledger.make_owning_panicking()).unwrap();
    let PoolFull { value: refused, .. } = pool.insert(ledger.make_owning_panicking()).unwrap_err();
    let taken = pool.take(key).unwrap();
    assert!(pool.is_empty());
    assert_free(&pool, 1, || Log::shared().make_owning());
    assert_eq!(panic_text(|| drop(taken)), panic_of(0));
    assert_eq!(panic_text(|| drop(refused)), panic_of(1));
    ledger.assert_all_dropped(2);
    assert!(pool.is_empty());
}

/// A pool of `LEN` values of which those that `panics` names panic; their keys.
fn filled(ledger: &Arc<Log>, panics: impl Fn(usize) -> bool) -> (Pool<Owning>, Vec<Key<Owning>>) {
    let pool = Pool::with_capacity(LEN).unwrap();
    let make = |n| if panics(n) { ledger.make_owning_panicking() } else { ledger.make_owning() };
    let keys = (0..LEN).map(|n| pool.insert(make(n)).unwrap()).collect();
    (pool, keys)
}

/// Whatever was in the pool is gone: no key is one, and all slots are free.
fn assert_afresh(pool: &mut Pool<Owning>, keys: &[Key<Owning>], ledger: &Log) {
    ledger.assert_all_dropped(LEN);
    assert!(pool.is_empty() && pool.iter().next().is_none() && pool.iter_mut().next().is_none());
    assert!(keys.iter().all(|key| !pool.contains(*key)));
    assert_free(pool, LEN, || Log::shared().make_owning());
    assert!(keys.iter().all(|key| !pool.contains(*key) && pool.get_mut(*key).is_none()));
    assert_settled(pool);
}

#[test]
fn panicking_destructor_stops_no_other() {
    for at in 0..LEN {
        let ledger = Log::shared();
        let (mut pool, keys) = filled(&ledger, |n| n == at);
        assert_eq!(panic_text(|| pool.clear()), panic_of(at));
        assert_afresh(&mut pool, &keys, &ledger);

        let ledger = Log::shared();
        let (mut pool, keys) = filled(&ledger, |n| n == at);
        // Some come out before the rest goes with the iterator.
        let mut drained = pool.drain();
        let first: Vec<_> = drained.by_ref().take(at / 2).collect();
        assert!(first.iter().zip(&keys).all(|((was, _), key)| was == key));
        assert_eq!(panic_text(|| drop(drained)), panic_of(at));
        drop(first);
        assert_afresh(&mut pool, &keys, &ledger);

        let ledger = Log::shared();
        let (pool, _) = filled(&ledger, |n| n == at);
        let region = pool.region().unwrap();
        assert_eq!(panic_text(|| drop(pool)), panic_of(at));
        ledger.assert_all_dropped(LEN);
        assert_returned(&region);
    }
}

#[test]
fn panic_in_drain_loop_drops_rest() {
    for at in (0..LEN).step_by(7) {
        let ledger = Log::shared();
        let (mut pool, keys) = filled(&ledger, |n| n == at);
        assert_eq!(panic_text(|| pool.drain().for_each(drop)), panic_of(at));
        assert_afresh(&mut pool, &keys, &ledger);
    }
}

#[test]
fn first_of_many_panics_resumes() {
    for from in [0, 1, 127, 128, 140, LEN - 1] {
        let ledger = Log::shared();
        let (mut pool, keys) = filled(&ledger, |n| n >= from);
        assert_eq!(panic_text(|| pool.clear()), panic_of(from));
        assert_afresh(&mut pool, &keys, &ledger);

        let ledger = Log::shared();
        let (pool, _) = filled(&ledger, |n| n >= from);
        let region = pool.region().unwrap();
        assert_eq!(panic_text(|| drop(pool)), panic_of(from));
        ledger.assert_all_dropped(LEN);
        assert_returned(&region);
    }
}

/// The slots of leaked reservations are free when a clearing panics, as when it does not.
#[test]
fn panicking_clear_recovers_all_slots() {
    let ends: [fn(&mut Pool<Owning>); 2] = [|pool| pool.clear(), |pool| drop(pool.drain())];
    for end in ends {
        let ledger = Log::shared();
        let mut pool = Pool::with_capacity(LEN).unwrap();
        std::mem::forget(pool.reserve_many::<20>());
        pool.insert(ledger.make_owning_panicking()).unwrap();
        assert_free(&pool, LEN - 21, || Log::shared().make_owning());
        assert_eq!(panic_text(|| end(&mut pool)), panic_of(0));
        ledger.assert_all_dropped(1);
        assert!(pool.is_empty());
        assert_free(&pool, LEN, || Log::shared().make_owning());
    }
}

#[test]
fn panicking_payload_stops_no_destructor() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("the payload panics");
        }
    }
    struct Bomb(Owning);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Payload);
        }
    }
    let ledger = Log::shared();
    let mut pool = Pool::new();
    for _ in 0..10 {
        pool.insert(Bomb(ledger.make_owning())).unwrap();
    }
    assert_eq!(pool.iter().map(|(_, bomb)| bomb.0.id).sum::<usize>(), 45);
    let payload = catch_unwind(AssertUnwindSafe(|| pool.clear())).unwrap_err();
    assert_eq!(panic_text(|| drop(payload)), "the payload panics");
    ledger.assert_all_dropped(10);
    assert!(pool.is_empty());
}

#[test]
fn leaked_values_panic_at_the_end() {
    let ledger = Log::shared();
    let (pool, keys) = filled(&ledger, |n| n % 3 == 0);
    for key in &keys {
        std::mem::forget(pool.get(*key));
    }
    assert!(pool.remove(keys[0]) && pool.remove(keys[1]) && ledger.drops() == 0);
    assert_eq!(panic_text(|| drop(pool)), panic_of(0));
    ledger.assert_all_dropped(LEN);
}

// ---- on which thread ------------------------------------------------------------------------------------------------

#[test]
fn last_guard_drops_the_value() {
    let (pool, ledger) = (Pool::new(), Log::shared());
    for rounds in 0..50 {
        let key = pool.insert(ledger.make_owning()).unwrap();
        let id = pool.get(key).unwrap().id;
        let last = thread::scope(|scope| {
            let (held, is_held) = mpsc::channel();
            // Each holds a guard until its word comes; they go in another order than they came.
            let words: Vec<_> = (0..4)
                .map(|_| {
                    let (go, goes) = mpsc::channel::<()>();
                    let (pool, held) = (&pool, held.clone());
                    let thread = scope.spawn(move || {
                        let guard = pool.get(key).unwrap();
                        held.send(()).unwrap();
                        goes.recv().unwrap();
                        assert_eq!(guard.id, id);
                        drop(guard);
                        thread::current().id()
                    });
                    is_held.recv().unwrap();
                    (go, thread)
                })
                .collect();
            let remover = scope.spawn(|| pool.remove(key));
            assert!(remover.join().unwrap() && pool.is_empty());
            assert!(pool.get(key).is_none() && pool.take(key).is_none() && !pool.contains(key) && !pool.remove(key));
            let mut last = None;
            let first = rounds % 4;
            let mut words: Vec<_> = words.into_iter().collect();
            words.rotate_left(first);
            for (go, thread) in words {
                assert!(ledger.droppers(id).is_empty(), "a guard is left");
                go.send(()).unwrap();
                last = Some(thread.join().unwrap());
            }
            last
        });
        assert_eq!(ledger.droppers(id), Vec::from_iter(last));
    }
    ledger.assert_all_dropped(50);
    assert_settled(&pool);
}

#[test]
fn unguarded_value_is_dropped_by_remover() {
    let (pool, ledger) = (Pool::new(), Log::shared());
    let key = pool.insert(ledger.make_owning()).unwrap();
    drop(pool.get(key));
    let remover = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert!(pool.remove(key));
            thread::current().id()
        });
        thread.join().unwrap()
    });
    assert_eq!(ledger.droppers(0), [remover]);
}

#[test]
fn panic_in_guard_ends_its_thread() {
    let (pool, ledger) = (Pool::with_capacity(1).unwrap(), Log::shared());
    let key = pool.insert(ledger.make_owning_panicking()).unwrap();
    thread::scope(|scope| {
        let ((held, is_held), (go, goes)) = (mpsc::channel(), mpsc::channel::<()>());
        let pool = &pool;
        let thread = scope.spawn(move || {
            let _guard = pool.get(key).unwrap();
            held.send(()).unwrap();
            goes.recv().unwrap();
        });
        is_held.recv().unwrap();
        assert!(pool.remove(key));
        go.send(()).unwrap();
        let panic = thread.join().unwrap_err();
        assert_eq!(panic.downcast_ref::<String>(), Some(&panic_of(0)));
    });
    ledger.assert_all_dropped(1);
    assert!(pool.is_empty());
    assert_free(&pool, 1, || Log::shared().make_owning());
}
