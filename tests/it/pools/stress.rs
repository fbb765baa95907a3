//! Random work on one pool from several threads, where every value knows whose it is.
//!
//! A value carries a stamp, written all over it: of its key where the key was known before, else one that was never
//! given to another. Keys and stamps change threads on a board; whoever takes one up looks whether the value that is
//! found is the one that was meant. A value's drop is counted, and marks it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{
    self, Random,
    pools::{assert_returned, assert_settled, pool_alone},
};
use sharded_arena::{Key, Pool, Ref, Region};

const ALIVE: u64 = 0xA11F_E0A1_1FE0_A11F;

/// The key of a value that was put in, and its stamp.
type Put = (Key<Stamped>, u64);

/// What threads do to a pool, and what they know together.
struct World {
    pool: Pool<Stamped>,
    board: Vec<Mutex<Option<Put>>>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    made: AtomicUsize,
    dropped: AtomicUsize,
    refused: AtomicUsize,
    looks: AtomicUsize,
}

struct Stamped {
    stamp: u64,
    copies: [u64; 5],
    state: u64,
    tally: Arc<Tally>,
}

impl Stamped {
    fn check(&self, stamp: u64) {
        assert_eq!((self.state, self.stamp), (ALIVE, stamp), "another's value, or one that is gone");
        assert!(self.copies.iter().zip(1..).all(|(copy, n)| *copy == stamp.wrapping_mul(n)), "a torn value");
    }
}

impl Drop for Stamped {
    fn drop(&mut self) {
        self.check(self.stamp);
        self.state = 0;
        self.tally.dropped.fetch_add(1, Relaxed);
    }
}

fn stamp_of(key: Key<Stamped>) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Never given twice.
fn fresh_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl World {
    fn new(pool: Pool<Stamped>, places: usize) -> World {
        let board = (0..places).map(|_| Mutex::new(None)).collect();
        World { pool, board, tally: Arc::default() }
    }

    fn make(&self, stamp: u64) -> Stamped {
        self.tally.made.fetch_add(1, Relaxed);
        let copies = [1, 2, 3, 4, 5].map(|n| stamp.wrapping_mul(n));
        Stamped { stamp, copies, state: ALIVE, tally: Arc::clone(&self.tally) }
    }

    /// Puts a value in, in one of the ways there are.
    fn put(&self, random: &mut Random) -> Option<Put> {
        let put = match random.below(4) {
            0 => self.pool.reserve().ok().map(|reservation| {
                let stamp = stamp_of(reservation.key());
                (reservation.fill(self.make(stamp)), stamp)
            }),
            1 => self.pool.reserve_many::<3>().ok().and_then(|many| {
                // One of them is filled, the others are cancelled.
                let filled = random.below(3);
                let one = many.into_iter().nth(filled)?;
                let stamp = stamp_of(one.key());
                Some((one.fill(self.make(stamp)), stamp))
            }),
            _ => {
                let stamp = fresh_stamp();
                self.pool.insert(self.make(stamp)).ok().map(|key| (key, stamp))
            }
        };
        if put.is_none() {
            self.tally.refused.fetch_add(1, Relaxed);
        }
        put
    }

    fn step<'w>(&'w self, random: &mut Random, guards: &mut Vec<(Ref<'w, Stamped>, u64)>) {
        let place = &self.board[random.below(self.board.len())];
        let seen = *place.lock().expect("no panic under it");
        match random.below(12) {
            0..4 => {
                let put = self.put(random);
                // What was there stays in the pool, if it is there yet, unless somebody has it on his board.
                let former = std::mem::replace(&mut *place.lock().expect("no panic under it"), put);
                if let Some((key, _)) = former {
                    let _gone_already = self.pool.remove(key);
                }
            }
            4 | 5 => drop(seen.is_some_and(|(key, _)| self.pool.remove(key)).then_some(())),
            6 | 7 => {
                if let Some((key, stamp)) = seen
                    && let Some(value) = self.pool.take(key)
                {
                    value.check(stamp);
                    assert!(!self.pool.contains(key) && self.pool.get(key).is_none());
                }
            }
            8 => guards.truncate(random.below(3)),
            9 if random.below(500) == 0 => {
                let counted =
                    self.pool.iter().inspect(|(key, value)| value.check(self.stamp_seen(*key, value))).count();
                assert!(counted <= self.pool.capacity());
            }
            _ => {
                if let Some((key, stamp)) = seen
                    && let Some(guard) = self.pool.get(key)
                {
                    guard.check(stamp);
                    assert!(Ref::key(&guard) == key);
                    self.tally.looks.fetch_add(1, Relaxed);
                    guards.push((guard, stamp));
                }
            }
        }
        if guards.len() > 20 {
            let (guard, stamp) = guards.swap_remove(random.below(20));
            guard.check(stamp);
        }
    }

    /// A value that an iterator has come to may be anybody's; it carries one stamp at least.
    fn stamp_seen(&self, key: Key<Stamped>, value: &Stamped) -> u64 {
        assert!(self.pool.get(key).is_none_or(|again| again.stamp == value.stamp));
        value.stamp
    }

    fn run(&self, seed: u64, threads: u64, steps: usize) {
        thread::scope(|scope| {
            for id in 0..threads {
                scope.spawn(move || {
                    let (mut random, mut guards) = (Random::new(seed ^ (id << 32)), Vec::new());
                    for _ in 0..steps {
                        self.step(&mut random, &mut guards);
                    }
                    for (guard, stamp) in &guards {
                        guard.check(*stamp);
                    }
                });
            }
        });
    }

    /// Everything is quiet: what was made is there or was dropped.
    fn settle(&mut self) {
        let (made, dropped) = (self.tally.made.load(Relaxed), self.tally.dropped.load(Relaxed));
        assert_eq!(self.pool.len(), made - dropped);
        assert_eq!((self.pool.iter().count(), self.pool.iter_mut().count()), (made - dropped, made - dropped));
        assert_settled(&self.pool);
        assert!(self.tally.looks.load(Relaxed) > 0 && made > 0);
        self.pool.clear();
        assert_eq!((self.tally.dropped.load(Relaxed), self.pool.len()), (made, 0));
        for place in &mut self.board {
            assert!(place.get_mut().expect("no panic under it").take().is_none_or(|(key, _)| !self.pool.contains(key)));
        }
    }
}

#[test]
fn keys_never_find_other_values() {
    let seed = 0x5712_0001;
    let steps = support::steps(120_000);
    // On a board of two places threads are at the same value most of the time.
    for (round, (slots, places)) in [(5, 2), (40, 64), (300, 64), (5_000, 64)].into_iter().enumerate() {
        let mut world = World::new(Pool::with_capacity(slots).unwrap(), places);
        let mut random = Random::seeded(seed + round as u64);
        for _ in 0..2 {
            world.run(random.next(), 4, steps / 4);
            world.settle();
        }
        assert_eq!(
            world.tally.refused.load(Relaxed) > 0,
            slots < 300,
            "{slots} slots for a board of {places} and guards"
        );
    }
}

#[test]
fn keys_are_exact_at_the_limit() {
    let (region, pool) = pool_alone(1 << 17);
    region.set_limit(3 * 4096);
    let mut world = World::new(pool, 400);
    world.run(Random::seeded(0x5712_0002).next(), 8, support::steps(60_000));
    assert!(world.tally.refused.load(Relaxed) > 0 && region.peak_memory_usage() <= 3 * 4096);
    world.settle();
    drop(world);
    assert_returned(&region);
}

/// More threads than have hints of their own, most of which end while others begin.
#[test]
fn keys_are_exact_with_short_threads() {
    let region = Region::with_capacity(1 << 20).unwrap();
    let mut world = World::new(Pool::in_region(&region), 200);
    let mut random = Random::seeded(0x5712_0003);
    for threads in [3, 90, 7, 120] {
        world.run(random.next(), threads, support::steps(100_000) / 100);
    }
    world.settle();
    drop(world);
    assert_returned(&region);
}
