//! Scripts of every method of a pool against a model, made and shrunk by proptest from a fixed seed.
//!
//! A script is a row of acts. In an act the pool is shared, and guards and reservations are held, which its end drops
//! or leaks; after it the pool is had exclusively for one step.

use std::collections::{BTreeMap, HashSet};
use std::mem::forget;
use std::sync::Arc;

use crate::support::{self, Log, Owning, pools::assert_returned};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sharded_arena::{Key, Pool, Ref, Region, Reservation};

const SLOTS: usize = 70;

/// What is done to a shared pool; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Insert,
    Get { at: usize },
    Look { at: usize },
    EndLook { at: usize },
    Remove { at: usize },
    Take { at: usize },
    Reserve,
    ReserveMany,
    Fill { at: usize },
    Cancel { at: usize },
    Iterate,
}

/// What is done to a pool that is had exclusively.
#[derive(Debug, Clone)]
enum Alone {
    Nothing,
    Change { at: usize },
    ChangeAll,
    Drain { count: usize, leak: bool },
    Clear,
}

#[derive(Debug, Clone)]
struct Act {
    steps: Vec<Step>,
    leaks: bool,
    alone: Alone,
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<usize>;
    prop_oneof![
        12 => Just(Step::Insert),
        3 => at().prop_map(|at| Step::Get { at }),
        3 => at().prop_map(|at| Step::Look { at }),
        3 => at().prop_map(|at| Step::EndLook { at }),
        5 => at().prop_map(|at| Step::Remove { at }),
        3 => at().prop_map(|at| Step::Take { at }),
        3 => Just(Step::Reserve),
        1 => Just(Step::ReserveMany),
        3 => at().prop_map(|at| Step::Fill { at }),
        2 => at().prop_map(|at| Step::Cancel { at }),
        1 => Just(Step::Iterate),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let alone = prop_oneof![
        3 => Just(Alone::Nothing),
        3 => any::<usize>().prop_map(|at| Alone::Change { at }),
        2 => Just(Alone::ChangeAll),
        2 => (0..100_usize, any::<bool>()).prop_map(|(count, leak)| Alone::Drain { count, leak }),
        1 => Just(Alone::Clear),
    ];
    (vec(step(), 0..80), prop::bool::weighted(0.2), alone).prop_map(|(steps, leaks, alone)| Act { steps, leaks, alone })
}

type Entry = (Owning, u64);

/// What a pool should be.
struct Model {
    /// By key: the number of the value, and what it was changed to.
    values: BTreeMap<Key<Entry>, (usize, u64)>,
    /// Every key that was ever issued.
    keys: Vec<Key<Entry>>,
    /// Slots in use by what no key names: reservations, and values that were removed while guarded.
    hidden: usize,
    /// Keys of leaked guards.
    leaked: Vec<Key<Entry>>,
    ledger: Arc<Log>,
}

/// What is held in an act.
#[derive(Default)]
struct Held<'p> {
    looks: Vec<Ref<'p, Entry>>,
    reservations: Vec<Reservation<'p, Entry>>,
}

impl Model {
    fn any_key(&self, at: usize) -> Option<Key<Entry>> {
        // One of the last more often, for most of the others are stale.
        let recent = self.keys.len().min(if at.is_multiple_of(4) { usize::MAX } else { 40 });
        self.keys.len().checked_sub(1 + (at / 4).checked_rem(recent)?).map(|at| self.keys[at])
    }

    /// Whether somebody looks at the value that has, or had, `key`.
    fn is_looked_at(&self, key: Key<Entry>, held: &Held<'_>) -> bool {
        held.looks.iter().map(Ref::key).chain(self.leaked.iter().copied()).any(|of| of == key)
    }

    fn make(&self) -> Entry {
        (self.ledger.make_owning(), 0)
    }

    fn full(&self) -> bool {
        self.values.len() + self.hidden == SLOTS
    }

    fn inserted(&mut self, key: Key<Entry>, id: usize) {
        self.values.insert(key, (id, 0));
        self.keys.push(key);
    }

    fn reserved<'p>(&mut self, held: &mut Held<'p>, reservation: Reservation<'p, Entry>) {
        self.keys.push(reservation.key());
        self.hidden += 1;
        held.reservations.push(reservation);
    }

    /// One key is removed; whether its value is dropped at once.
    fn removed(&mut self, key: Key<Entry>, held: &Held<'_>) {
        let (id, _) = self.values.remove(&key).expect("it was there");
        let looked_at = self.is_looked_at(key, held);
        self.hidden += usize::from(looked_at);
        assert_eq!(self.ledger.droppers(id).len(), usize::from(!looked_at));
    }

    fn step<'p>(&mut self, pool: &'p Pool<Entry>, held: &mut Held<'p>, step: &Step) {
        match *step {
            Step::Insert => {
                let (value, full) = (self.make(), self.full());
                let id = value.0.id;
                match pool.insert(value) {
                    Ok(key) => {
                        assert!(!full && !self.keys.contains(&key));
                        self.inserted(key, id);
                    }
                    Err(refused) => assert!(full && refused.value.0.id == id && refused.capacity == SLOTS),
                }
            }
            Step::Get { at } => {
                let Some(key) = self.any_key(at) else { return };
                let found = pool.get(key).map(|value| (value.0.id, value.1));
                assert_eq!((found, pool.contains(key)), (self.values.get(&key).copied(), found.is_some()));
            }
            Step::Look { at } => held.looks.extend(self.any_key(at).and_then(|key| pool.get(key))),
            Step::EndLook { at } => {
                let Some(at) = at.checked_rem(held.looks.len()) else { return };
                let look = held.looks.swap_remove(at);
                self.end_look(look, held);
            }
            Step::Remove { at } => {
                let Some(key) = self.any_key(at) else { return };
                let there = self.values.contains_key(&key);
                assert_eq!(pool.remove(key), there);
                if there {
                    self.removed(key, held);
                }
            }
            Step::Take { at } => {
                let Some(key) = self.any_key(at) else { return };
                let there = self.values.get(&key).copied().filter(|_| !self.is_looked_at(key, held));
                let taken = pool.take(key);
                assert_eq!(taken.as_ref().map(|value| (value.0.id, value.1)), there);
                drop(taken);
                if there.is_some() {
                    self.removed(key, held);
                }
            }
            Step::Reserve => match pool.reserve() {
                Ok(reservation) => self.reserved(held, reservation),
                Err(_) => assert!(self.full()),
            },
            Step::ReserveMany => match pool.reserve_many::<5>() {
                Ok(many) => many.into_iter().for_each(|reservation| self.reserved(held, reservation)),
                Err(_) => assert!(self.values.len() + self.hidden + 5 > SLOTS),
            },
            Step::Fill { at } => {
                let Some(at) = at.checked_rem(held.reservations.len()) else { return };
                let (value, reservation) = (self.make(), held.reservations.swap_remove(at));
                let (id, reserved) = (value.0.id, reservation.key());
                let key = reservation.fill(value);
                assert_eq!(key, reserved);
                self.hidden -= 1;
                self.values.insert(key, (id, 0));
            }
            Step::Cancel { at } => {
                let Some(at) = at.checked_rem(held.reservations.len()) else { return };
                drop(held.reservations.swap_remove(at));
                self.hidden -= 1;
            }
            Step::Iterate => {
                let seen: BTreeMap<_, _> = pool.iter().map(|(key, value)| (key, (value.0.id, value.1))).collect();
                assert_eq!(seen, self.values);
            }
        }
    }

    /// One guard goes, and the value with it if it was removed and this is the last.
    fn end_look(&mut self, look: Ref<'_, Entry>, others: &Held<'_>) {
        let (key, id) = (Ref::key(&look), look.0.id);
        let goes = !self.values.contains_key(&key) && !self.is_looked_at(key, others);
        drop(look);
        assert_eq!(self.ledger.droppers(id).len(), usize::from(goes));
        self.hidden -= usize::from(goes);
    }

    fn end(&mut self, mut held: Held<'_>, leaks: bool) {
        if leaks {
            // The slots of reservations stay hidden until the pool is cleared.
            self.leaked.extend(held.looks.iter().map(Ref::key));
            held.looks.drain(..).for_each(forget);
            return held.reservations.drain(..).for_each(forget);
        }
        self.hidden -= held.reservations.len();
        held.reservations.clear();
        while let Some(look) = held.looks.pop() {
            self.end_look(look, &held);
        }
    }

    fn alone(&mut self, pool: &mut Pool<Entry>, alone: &Alone) {
        match *alone {
            Alone::Nothing => {}
            Alone::Change { at } => {
                let Some(key) = self.any_key(at) else { return };
                let there = self.values.get_mut(&key);
                let found = pool.get_mut(key);
                assert_eq!(found.as_ref().map(|value| (value.0.id, value.1)), there.as_deref().copied());
                if let (Some(found), Some(there)) = (found, there) {
                    (found.1, there.1) = (found.1 + 7, there.1 + 7);
                }
            }
            Alone::ChangeAll => {
                let mut seen = BTreeMap::new();
                for (key, value) in &mut *pool {
                    value.1 += 1;
                    seen.insert(key, (value.0.id, value.1));
                }
                self.values.values_mut().for_each(|value| value.1 += 1);
                assert_eq!(seen, self.values);
            }
            Alone::Drain { count, leak } => {
                let mut drain = pool.drain();
                for (key, value) in drain.by_ref().take(count) {
                    match self.values.remove(&key) {
                        Some(there) => assert_eq!(there, (value.0.id, value.1)),
                        // Removed while a guard of it was leaked: it is in nobody's way any more.
                        None => self.hidden -= 1,
                    }
                    assert!(self.ledger.droppers(value.0.id).is_empty());
                }
                if leak { forget(drain) } else { self.cleared(|| drop(drain)) }
            }
            Alone::Clear => self.cleared(|| pool.clear()),
        }
    }

    fn cleared(&mut self, clear: impl FnOnce()) {
        clear();
        self.values.clear();
        self.hidden = 0;
        self.leaked.clear();
        self.ledger.assert_all_dropped(self.ledger.made());
    }
}

fn run(region: &Region, acts: &[Act]) {
    let mut pool = Pool::with_capacity(SLOTS).unwrap();
    let other = Pool::<Entry>::in_region(region);
    let ledger = Log::shared();
    let mut model = Model { values: BTreeMap::new(), keys: Vec::new(), hidden: 0, leaked: Vec::new(), ledger };
    let settled = |pool: &Pool<Entry>, model: &Model| {
        assert_eq!((pool.len(), pool.is_empty()), (model.values.len(), model.values.is_empty()));
        support::pools::assert_settled(pool);
        support::pools::assert_free(pool, SLOTS - model.values.len() - model.hidden, || {
            (Log::shared().make_owning(), 0)
        });
        assert!(model.keys.iter().all(|key| pool.contains(*key) == model.values.contains_key(key)));
        assert!(model.keys.last().is_none_or(|key| !other.contains(*key) && other.get(*key).is_none()));
    };
    for act in acts {
        let mut held = Held::default();
        for step in &act.steps {
            model.step(&pool, &mut held, step);
            assert_eq!(pool.len(), model.values.len());
        }
        model.end(held, act.leaks);
        settled(&pool, &model);
        model.alone(&mut pool, &act.alone);
        settled(&pool, &model);
        assert_eq!(model.keys.iter().collect::<HashSet<_>>().len(), model.keys.len(), "a key was issued twice");
    }
    let region = pool.region().unwrap();
    drop(pool);
    model.ledger.assert_all_dropped(model.ledger.made());
    assert_returned(&region);
}

#[test]
fn random_scripts_agree_with_model() {
    let cases = if cfg!(debug_assertions) { 150 } else { 1_000 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[0xB0; 32]);
    let region = Region::with_capacity(1 << 16).unwrap();
    let scripts = vec(act(), 1..8);
    TestRunner::new_with_rng(config, seed)
        .run(&scripts, |acts| {
            run(&region, &acts);
            Ok(())
        })
        .unwrap();
}
