//! The pool: stripes of the index and the records, all in one backend's memory.
//!
//! Locks: one a stripe, held for index work only; records are stored and freed outside it.
//! Eviction: the lowest fee rate is looked for in [`DRAWS`] stripes drawn at random, by the floors that they
//! publish; of equal floors the fuller stripe's. Ids are hashes, so every stripe is a fair sample of the pool and their
//! floors lie close together; a floor over all stripes would be a word that every thread writes.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;
use sharded_arena::allocator_api2::collections::TryReserveError;
use sharded_arena::allocator_api2::vec::Vec as HeapVec;

use super::backend::Backend;
use super::block::{Id, Source, drawn_fee_rate, mix};
use super::lengths::Lengths;
use super::record::{self, Draft, Record};
use super::stripe::{BYTES_PER_STRIPE, Newcomer, Rejection, Stripe};

/// A transaction may evict this many times its own size.
const MOST_EVICTED: usize = 4;
/// Stripes that are drawn at random where one is chosen.
const DRAWS: usize = 4;
/// Transactions that a block takes from a stripe at a time: few, so that the stripes stay equally full.
const CONFIRMED_A_STRIPE: usize = 32;
/// Entries of a stripe beside those that its share of the memory needs: ids do not fall evenly.
const LEAST_ENTRIES: usize = 16;
/// A record longer than this share of the room must have room for certain before anything is evicted.
const LONG_SHARE: usize = 16;
const BYTES_A_STRIPE: usize = 1 << 20;
const MOST_STRIPES: usize = 64;

/// A stripe's lowest fee rate, above the number of its vacant slots: the least such word is the stripe to evict from.
struct Floor(AtomicU64);

impl Floor {
    /// The rate of a stripe without entries.
    const NO_RATE: u64 = u16::MAX as u64;

    fn empty() -> Self {
        Self(AtomicU64::new(Self::NO_RATE << 32))
    }

    // Relaxed, both: a hint, checked again under the stripe's lock.
    fn publish(&self, rate: Option<u16>, vacant: usize) {
        let rate = rate.map_or(Self::NO_RATE, u64::from);
        self.0.store(rate << 32 | (vacant as u64 & 0xffff_ffff), Ordering::Relaxed);
    }

    fn word(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn vacant(&self) -> u64 {
        self.word() & 0xffff_ffff
    }

    fn is_at_least(&self, fee_rate: u16) -> bool {
        (u64::from(fee_rate)..Self::NO_RATE).contains(&(self.word() >> 32))
    }
}

/// What one thread did; the sum over all threads is the run's.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) offered: u64,
    pub(crate) admitted: u64,
    pub(crate) evicted: u64,
    pub(crate) confirmed: u64,
    pub(crate) rejected_lowest: u64,
    pub(crate) rejected_costly: u64,
    pub(crate) rejected_long: u64,
    /// Requests for memory that the backend refused.
    pub(crate) refusals: u64,
    /// Times a stripe of the index had no vacant slot.
    pub(crate) index_full: u64,
}

impl Counts {
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected_lowest + self.rejected_costly + self.rejected_long
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.admitted += other.admitted;
        self.evicted += other.evicted;
        self.confirmed += other.confirmed;
        self.rejected_lowest += other.rejected_lowest;
        self.rejected_costly += other.rejected_costly;
        self.rejected_long += other.rejected_long;
        self.refusals += other.refusals;
        self.index_full += other.index_full;
    }
}

/// Random words for drawing stripes.
#[derive(Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        scaled(mix(self.0) >> 32, bound)
    }
}

struct Place<'b, B: Backend> {
    floor: Floor,
    stripe: Mutex<Stripe<&'b B>>,
}

impl<'b, B: Backend> Place<'b, B> {
    fn locked<R>(&self, work: impl FnOnce(&mut Stripe<&'b B>) -> R) -> R {
        let mut stripe = self.stripe.lock();
        let result = work(&mut stripe);
        self.floor.publish(stripe.floor(), stripe.vacant());
        result
    }
}

pub(crate) struct Pool<'b, B: Backend> {
    backend: &'b B,
    places: HeapVec<CachePadded<Place<'b, B>>, &'b B>,
    /// Has memory been refused yet? Relaxed: it orders nothing.
    pressed: AtomicBool,
    /// What the index leaves for records.
    room_bytes: usize,
}

impl<'b, B: Backend> Pool<'b, B> {
    /// An empty pool with its index, which has room for more transactions of such lengths than the memory has.
    pub(crate) fn new(backend: &'b B, lengths: Lengths) -> Result<Self, TryReserveError> {
        let stripes = (backend.limit_bytes() / BYTES_A_STRIPE).clamp(1, MOST_STRIPES);
        let share = (backend.limit_bytes() / stripes).saturating_sub(BYTES_PER_STRIPE);
        let entries = lengths.entries(share * stripes) / stripes + LEAST_ENTRIES;
        let mut places = HeapVec::new_in(backend);
        places.try_reserve_exact(stripes)?;
        for _ in 0..stripes {
            let stripe = Mutex::new(Stripe::with_capacity(entries, backend)?);
            places.push(CachePadded::new(Place { floor: Floor::empty(), stripe }));
        }
        let room_bytes = backend.limit_bytes().saturating_sub(backend.live_bytes());
        Ok(Self { backend, places, pressed: AtomicBool::new(false), room_bytes })
    }

    pub(crate) fn backend(&self) -> &'b B {
        self.backend
    }

    /// Has the backend refused anything yet?
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.iter().map(|place| place.stripe.lock().len()).sum()
    }

    /// Number of transactions that the index has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.places.iter().map(|place| place.stripe.lock().capacity()).sum()
    }

    /// Offers one copy of a transaction to the pool.
    pub(crate) fn offer(&self, source: &Source, index: u32, repetition: u64, draws: &mut Draws, counts: &mut Counts) {
        let id = source.id(repetition);
        let newcomer = Newcomer { id, fee_rate: drawn_fee_rate(&id), source: index };
        counts.offered += 1;
        let mut allowance = source.bytes.len() * MOST_EVICTED;
        let draft = Draft::new(repetition.to_le_bytes(), &source.bytes);
        let admitted = self
            .has_room_for(&draft, newcomer.fee_rate)
            .and_then(|()| self.store(draft, newcomer, &mut allowance, draws, counts))
            .and_then(|record| self.place_in_index(newcomer, record, allowance, counts));
        match admitted {
            Ok(()) => counts.admitted += 1,
            Err(Rejection::Lowest) => counts.rejected_lowest += 1,
            Err(Rejection::TooCostly) => counts.rejected_costly += 1,
            Err(Rejection::TooLong) => counts.rejected_long += 1,
        }
    }

    /// Rejects what has no room even after all that pay less have gone, before any of them goes. Only long records are
    /// compared with what the pool holds: a short one is refused at its first piece.
    fn has_room_for(&self, draft: &Draft<'_>, fee_rate: u16) -> Result<(), Rejection> {
        let bytes = draft.stored_bytes();
        if bytes <= self.room_bytes / LONG_SHARE {
            return Ok(());
        }
        // Some of the room lies in ranges that are too short for a piece.
        let usable_bytes = self.room_bytes - self.room_bytes / LONG_SHARE;
        let fits = bytes <= usable_bytes && bytes + self.bytes_at_least(fee_rate) <= usable_bytes;
        if fits { Ok(()) } else { Err(Rejection::TooLong) }
    }

    /// Bytes of the transactions that pay at least `fee_rate`.
    fn bytes_at_least(&self, fee_rate: u16) -> usize {
        let of = |place: &Place<'b, B>| {
            let stripe = place.stripe.lock();
            let paying = stripe.entries().filter(|entry| entry.fee_rate >= fee_rate);
            paying.filter_map(|entry| entry.record.as_ref()).map(Record::stored_bytes).sum::<usize>()
        };
        self.places.iter().map(|place| of(place)).sum()
    }

    /// Stores the record, evicting where the backend refuses. What was evicted for a record that is then rejected stays
    /// evicted.
    fn store(
        &self,
        mut draft: Draft<'_>,
        newcomer: Newcomer,
        allowance: &mut usize,
        draws: &mut Draws,
        counts: &mut Counts,
    ) -> Result<Record, Rejection> {
        while !draft.is_complete() {
            let Err(refused) = draft.store_piece(self.backend) else {
                continue;
            };
            counts.refusals += 1;
            if !self.is_pressed() {
                self.pressed.store(true, Ordering::Relaxed);
            }
            match self.make_room(refused.bytes, newcomer.fee_rate, allowance, draws) {
                Ok(evicted) => counts.evicted += evicted,
                Err(rejection) => {
                    record::free(self.backend, draft.into_stored());
                    return Err(rejection);
                }
            }
        }
        Ok(draft.into_stored().expect("a record has at least its prefix"))
    }

    /// Evicts transactions that pay less than `fee_rate`, at least one, until `bytes` are free, as far as `allowance`
    /// goes and lower ones are found; how many.
    fn make_room(
        &self,
        bytes: usize,
        fee_rate: u16,
        allowance: &mut usize,
        draws: &mut Draws,
    ) -> Result<u64, Rejection> {
        let mut victims = Vec::new();
        let mut found = 0;
        while found < bytes {
            match self.evict_lowest(fee_rate, *allowance, draws) {
                Ok((victim, tx_bytes)) => {
                    *allowance -= tx_bytes;
                    found += tx_bytes;
                    victims.push(victim);
                }
                Err(rejection) if victims.is_empty() => return Err(rejection),
                Err(_) => break,
            }
        }
        let evicted = victims.len() as u64;
        record::free(self.backend, victims);
        Ok(evicted)
    }

    fn evict_lowest(&self, fee_rate: u16, allowance: usize, draws: &mut Draws) -> Result<(Record, usize), Rejection> {
        let lowest = self.drawn(draws).min_by_key(|place| place.floor.word()).expect("at least one is drawn");
        if lowest.floor.is_at_least(fee_rate) {
            return Err(Rejection::Lowest);
        }
        lowest.locked(|stripe| stripe.evict_below(fee_rate, allowance))
    }

    /// Enters a stored record into its stripe; where that has no vacant slot, its lowest goes.
    fn place_in_index(
        &self,
        newcomer: Newcomer,
        record: Record,
        allowance: usize,
        counts: &mut Counts,
    ) -> Result<(), Rejection> {
        let (result, superfluous) = self.places[self.stripe_of(&newcomer.id)].locked(|stripe| {
            assert!(!stripe.contains(&newcomer.id), "every copy has an id of its own");
            if stripe.vacant() > 0 {
                stripe.insert(newcomer, record);
                return (Ok(()), None);
            }
            counts.index_full += 1;
            match stripe.evict_below(newcomer.fee_rate, allowance) {
                Ok((victim, _)) => {
                    counts.evicted += 1;
                    stripe.insert(newcomer, record);
                    (Ok(()), Some(victim))
                }
                Err(rejection) => (Err(rejection), Some(record)),
            }
        });
        record::free(self.backend, superfluous);
        result
    }

    /// Removes up to `count` transactions that a block has confirmed; how many there were. A few at a time, they are
    /// the best-paying ones of the fullest of some stripes; all go back to the memory in one batch.
    pub(crate) fn confirm(&self, count: usize, draws: &mut Draws) -> u64 {
        let mut records: Vec<Record> = Vec::with_capacity(count);
        while records.len() < count {
            let part = (count - records.len()).min(CONFIRMED_A_STRIPE);
            let fullest = self.drawn(draws).min_by_key(|place| place.floor.vacant()).expect("at least one is drawn");
            if !fullest.locked(|stripe| stripe.take_best(part, &mut records)) {
                break;
            }
        }
        let confirmed = records.len() as u64;
        record::free(self.backend, records);
        confirmed
    }

    /// Damages one bit of one stored transaction; `false` when there is none.
    pub(crate) fn damage_one(&self) -> bool {
        self.places.iter().any(|place| {
            place.locked(|stripe| {
                stripe.entries_mut().find_map(|entry| entry.record.as_mut()).map(Record::damage).is_some()
            })
        })
    }

    /// Hashes every stored transaction again, out of its pieces, on all processors; how many are as they were, and how
    /// many are not.
    pub(crate) fn verify(&self, sources: &[Source]) -> (u64, u64) {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let share = self.places.len().div_ceil(workers);
        thread::scope(|scope| {
            let parts = self.places.chunks(share);
            let checks: Vec<_> = parts.map(|part| scope.spawn(move || verify_part(part, sources))).collect();
            checks.into_iter().fold((0, 0), |(verified, corrupt), check| {
                let part = check.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                (verified + part.0, corrupt + part.1)
            })
        })
    }

    /// A few stripes at random.
    fn drawn<'p>(&'p self, draws: &'p mut Draws) -> impl Iterator<Item = &'p Place<'b, B>> {
        (0..DRAWS).map(|_| &*self.places[draws.below(self.places.len())])
    }

    fn stripe_of(&self, id: &Id) -> usize {
        scaled(u32::from_le_bytes([id[4], id[5], id[6], id[7]]).into(), self.places.len())
    }
}

impl<B: Backend> Drop for Pool<'_, B> {
    fn drop(&mut self) {
        for place in &mut self.places {
            record::free(self.backend, place.stripe.get_mut().entries_mut().filter_map(|entry| entry.record.take()));
        }
    }
}

fn verify_part<B: Backend>(places: &[CachePadded<Place<'_, B>>], sources: &[Source]) -> (u64, u64) {
    let (mut verified, mut corrupt) = (0, 0);
    let mut bytes = Vec::new();
    for place in places {
        for entry in place.stripe.lock().entries() {
            entry.record.iter().for_each(|record| record.read_into(&mut bytes));
            if sources[entry.source as usize].vouches_for(&entry.id, &bytes) {
                verified += 1;
            } else {
                corrupt += 1;
            }
        }
    }
    (verified, corrupt)
}

/// Brings 32 random bits below `bound`.
fn scaled(bits: u64, bound: usize) -> usize {
    usize::try_from((bits * bound as u64) >> 32).expect("below the bound")
}
