//! Destructors that use the pool their value is in: nothing is locked, and nothing half done, when they run.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread;

use crate::support::pools::assert_settled;
use sharded_arena::{Key, Pool, PoolFull};

/// What a node's destructor does to its pool.
type Act = Box<dyn FnOnce(&Pool<Node>) + Send + Sync>;

/// A value whose destructor uses the pool, if that still stands.
struct Node {
    pool: Weak<Pool<Node>>,
    act: Option<Act>,
    drops: Arc<AtomicUsize>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
        if let (Some(pool), Some(act)) = (self.pool.upgrade(), self.act.take()) {
            act(&pool);
        }
    }
}

/// A pool whose nodes know it, and what counts their drops.
struct World {
    pool: Arc<Pool<Node>>,
    drops: Arc<AtomicUsize>,
}

impl World {
    fn new(slots: usize) -> World {
        World { pool: Arc::new(Pool::with_capacity(slots).unwrap()), drops: Arc::default() }
    }

    fn node(&self, act: impl FnOnce(&Pool<Node>) + Send + Sync + 'static) -> Node {
        Node { pool: Arc::downgrade(&self.pool), act: Some(Box::new(act)), drops: Arc::clone(&self.drops) }
    }

    fn drops(&self) -> usize {
        self.drops.load(Relaxed)
    }

    /// A list of `len` nodes, each of which removes the next; the keys, the head's first.
    fn list(&self, len: usize) -> Vec<Key<Node>> {
        let mut keys: Vec<Key<Node>> = Vec::new();
        for _ in 0..len {
            let next = keys.last().copied();
            let node = self.node(move |pool| assert!(next.is_none_or(|next| pool.remove(next))));
            keys.push(self.pool.insert(node).unwrap_or_else(|_| panic!("room for the list")));
        }
        keys.reverse();
        keys
    }
}

type Way = fn(&Pool<Node>, Key<Node>);

/// The ways in which a value's destructor comes to run while others use the pool.
const WAYS: [Way; 4] = [
    |pool, key| assert!(pool.remove(key)),
    |pool, key| drop(pool.take(key).unwrap()),
    |pool, key| {
        let (first, last) = (pool.get(key).unwrap(), pool.get(key).unwrap());
        assert!(pool.remove(key));
        drop((first, last));
    },
    |pool, key| {
        thread::scope(|scope| {
            let guard = pool.get(key).unwrap();
            assert!(scope.spawn(|| pool.remove(key)).join().unwrap());
            scope.spawn(move || drop(guard));
        });
    },
];

#[test]
fn destructors_remove_a_list() {
    let world = World::new(200);
    for (round, way) in WAYS.iter().cycle().take(40).enumerate() {
        let keys = world.list(200);
        assert_eq!(world.pool.len(), 200);
        way(&world.pool, keys[0]);
        assert_eq!((world.pool.len(), world.drops()), (0, 200 * (round + 1)));
        assert!(keys.iter().all(|key| !world.pool.contains(*key)));
    }
    assert_settled(&world.pool);
}

#[test]
fn guarded_list_is_removed_later() {
    let world = World::new(100);
    let keys = world.list(100);
    let looks_at: Vec<_> = [30, 60].iter().map(|n| world.pool.get(keys[*n]).unwrap()).collect();
    assert!(world.pool.remove(keys[0]));
    assert_eq!((world.drops(), world.pool.len()), (30, 69));
    let mut looks_at = looks_at.into_iter();
    drop(looks_at.next());
    assert_eq!((world.drops(), world.pool.len()), (60, 39));
    drop(looks_at.next());
    assert_eq!((world.drops(), world.pool.len()), (100, 0));
}

#[test]
fn destructor_finds_own_key_stale() {
    for way in WAYS {
        let world = World::new(3);
        let other = world.pool.insert(world.node(|_| {})).unwrap_or_else(|_| panic!("room"));
        let reservation = world.pool.reserve().unwrap();
        let (own, seen) = (reservation.key(), Arc::new(AtomicUsize::new(0)));
        reservation.fill({
            let seen = Arc::clone(&seen);
            world.node(move |pool| {
                assert!(!pool.contains(own) && pool.get(own).is_none());
                assert!(!pool.remove(own) && pool.take(own).is_none());
                assert!(pool.iter().all(|(key, _)| key == other));
                assert!(pool.contains(other) && pool.get(other).is_some());
                seen.fetch_add(1, Relaxed);
            })
        });
        way(&world.pool, own);
        assert_eq!((seen.load(Relaxed), world.drops(), world.pool.len()), (1, 1, 1));
    }
}

#[test]
fn destructor_inserts_and_removes() {
    for way in WAYS {
        let world = World::new(4);
        let bare = { move |pool: Weak<Pool<Node>>, drops| Node { pool, act: None, drops } };
        let (weak, drops) = (Arc::downgrade(&world.pool), Arc::clone(&world.drops));
        let node = world.node(move |pool| {
            let keys: Vec<_> =
                (0..3).filter_map(|_| pool.insert(bare(weak.clone(), Arc::clone(&drops))).ok()).collect();
            assert_eq!(keys.len(), 3, "a slot each, besides the one that is being emptied");
            assert!(pool.remove(keys[0]) && pool.take(keys[1]).is_some());
            let guard = pool.get(keys[2]).unwrap();
            assert!(pool.remove(keys[2]));
            drop(guard);
            let [first, second] = pool.reserve_many().unwrap();
            drop(first);
            second.fill(bare(weak, drops));
        });
        let key = world.pool.insert(node).unwrap_or_else(|_| panic!("room"));
        way(&world.pool, key);
        assert_eq!((world.pool.len(), world.drops()), (1, 4));
        // The slot of the value that did all this is free.
        assert_eq!(world.pool.reserve_many::<3>().unwrap().len(), 3);
        assert!(world.pool.reserve_many::<4>().is_err());
        assert_settled(&world.pool);
    }
}

/// A value that puts a successor in its place, `left` times; where it finds no room the successor comes back, and its
/// destructor tries in turn.
fn heir(pool: &Weak<Pool<Node>>, drops: &Arc<AtomicUsize>, left: usize) -> Node {
    let (weak, counts) = (pool.clone(), Arc::clone(drops));
    let act = move |pool: &Pool<Node>| {
        if left > 0 {
            drop(pool.insert(heir(&weak, &counts, left - 1)));
        }
    };
    Node { pool: pool.clone(), act: Some(Box::new(act)), drops: Arc::clone(drops) }
}

#[test]
fn destructor_gets_refused_value_back() {
    for way in WAYS {
        let world = World::new(1);
        let key = world.pool.insert(heir(&Arc::downgrade(&world.pool), &world.drops, 20)).unwrap_or_else(|_| panic!());
        way(&world.pool, key);
        // A value that was taken leaves its slot before it is dropped, so its heir finds room.
        let heirs = world.pool.len();
        assert_eq!(world.drops() + 20 * heirs, 21);
        let refused = world.pool.insert(heir(&Weak::new(), &world.drops, 0));
        assert_eq!(refused.is_err(), heirs == 1);
        if let Err(PoolFull { value, .. }) = refused {
            drop(value);
        }
    }
    let world = World::new(2);
    let mut key = world.pool.insert(heir(&Arc::downgrade(&world.pool), &world.drops, 20)).unwrap_or_else(|_| panic!());
    for round in 1..=21 {
        assert!(world.pool.remove(key));
        assert_eq!((world.drops(), world.pool.len()), (round, usize::from(round < 21)));
        let Some((next, _)) = world.pool.iter().next() else { break };
        assert!(next != key);
        key = next;
    }
    assert_eq!(world.drops(), 21);
}

#[test]
fn threads_remove_lists_concurrently() {
    const THREADS: usize = 4;
    const LEN: usize = 60;
    let world = World::new(THREADS * LEN);
    thread::scope(|scope| {
        for id in 0..THREADS {
            let world = &world;
            scope.spawn(move || {
                for round in 0..100 {
                    let keys = world.list(LEN);
                    WAYS[(id + round) % 3](&world.pool, keys[0]);
                    assert!(keys.iter().all(|key| !world.pool.contains(*key)));
                }
            });
        }
    });
    assert_eq!((world.pool.len(), world.drops()), (0, THREADS * LEN * 100));
    assert_settled(&world.pool);
}

struct AtEnd(World, Vec<Key<Node>>);

impl Drop for AtEnd {
    /// Removes two lists, one of which was made when the thread was one yet, and makes a third.
    fn drop(&mut self) {
        let Self(world, keys) = self;
        assert!(world.pool.remove(keys[0]));
        let again = world.list(50);
        let guard = world.pool.get(again[0]).unwrap();
        assert!(world.pool.remove(again[0]));
        drop(guard);
        world.list(10);
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

/// A thread that ends has no shard of its own any more, and shares one with others under a lock: which must not be held
/// when a destructor runs.
#[test]
fn thread_exit_runs_destructors_unlocked() {
    let pool = Arc::new(Pool::with_capacity(1000).unwrap());
    for round in 1..=20 {
        for pool_first in [false, true] {
            let world = World { pool: Arc::clone(&pool), drops: Arc::default() };
            let drops = Arc::clone(&world.drops);
            let thread = thread::spawn(move || {
                if !pool_first {
                    AT_END.with(|place| assert!(place.borrow().is_none()));
                }
                let keys = world.list(50);
                AT_END.set(Some(AtEnd(world, keys)));
            });
            thread.join().unwrap();
            assert_eq!(drops.load(Relaxed), 100);
        }
        assert_eq!(pool.len(), round * 20);
    }
    let mut pool = Arc::into_inner(pool).unwrap();
    pool.clear();
    assert_settled(&pool);
}
