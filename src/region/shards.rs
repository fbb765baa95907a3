//! `Shards`: the shards of one heap or arena, each with its owner word, and how a thread comes by its own.
//!
//! Which shard a thread uses is decided here alone; below, a shard is an argument. Each shard has an owner word, the
//! token of the thread that may use it or none, **written only under the region's lock**. The holder of that lock may
//! claim a shard that has no owner, or whose owner's generation has passed and which no `Local` pins.
//!
//! - INV-region.shards-1: `owner[i] = t` is written by `t`'s own thread while `t` lives, changed by another only if
//!   claimable.
//! - INV-region.shards-2: users of shard `i` are: its owner's thread, if the owner lives or pins it; else the lock's
//!   holder.
//! - INV-region.shards-3: a cache entry's shard is this thread's, its owner living.
//! - INV-region.shards-5: a shard is made by its first owner's thread, outside the lock, before it is used, and stands
//!   as long as the `Shards`. One that is not made holds nothing.
#![expect(unsafe_code, reason = "follows the cached shard pointer; asserts that zero bytes are an owner word")]

use core::marker::PhantomData;
use core::num::NonZeroU64;

use crate::base::system::SystemRefusal;
use crate::memory::table::{Table, Zeroable, try_box};
use crate::sync::{Acquire, AtomicU64, CachePadded, Figure, OnceLock, Relaxed, Release};
use crate::thread::{self, Cache, EndOfThread, Token, Tokens, tokens};

use super::{Region, Section, Sweep};

/// A shard's owner: a token or none. Written only under the region's lock.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct OwnerWord(AtomicU64);

// SAFETY: an atomic integer, zero meaning none.
unsafe impl Zeroable for OwnerWord {
    fn zeroed() -> Self {
        Self::default()
    }
}

impl OwnerWord {
    // Relaxed throughout: writers and claimers hold the region's lock; outside it a thread looks only for its own
    // living token, which only it writes and nobody may overwrite.
    pub(crate) fn get(&self) -> Option<Token> {
        Some(self.0.load(Relaxed)).filter(|bits| *bits != 0).map(Token::from_bits)
    }
    pub(crate) fn set(&self, token: Option<Token>) {
        self.0.store(token.map_or(0, Token::bits), Relaxed);
    }
}

/// Number of living `Local`s of a shard; written by its owner's thread only.
#[derive(Debug)]
pub(crate) struct Pins(AtomicU64);

impl Pins {
    pub(crate) const fn new(count: AtomicU64) -> Self {
        Self(count)
    }

    pub(crate) fn pin(&self) {
        // Relaxed: it comes before the thread's end in its own order, and so does whoever claims after that end.
        self.0.store(self.0.load(Relaxed) + 1, Relaxed);
    }
    pub(crate) fn unpin(&self) {
        // ORDERING(Release): a `Local` that outlived its thread's end wrote to the shard after the token's end.
        //   pairs: `is_pinned`'s Acquire.  loom: m09_local_claim; Relaxed fails it.
        self.0.store(self.0.load(Relaxed) - 1, Release);
    }
    /// No `Local` is left: who says so has what they refer to exclusively, so those still counted were leaked.
    pub(crate) fn clear(&self) {
        // Relaxed: the caller holds the region's lock, as does every claimer.
        self.0.store(0, Relaxed);
    }
    pub(crate) fn is_pinned(&self) -> bool {
        // ORDERING(Acquire): what the last `Local` wrote is seen. After the token's end pins only fall, so a 0 stays 0.
        //   pairs: `unpin`'s Release.  loom: m09_local_claim; Relaxed fails it.
        self.0.load(Acquire) != 0
    }
}

/// What a claimer found out about a shard, under the region's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// No owner, or an ended one that pins it no more: the lock's holder may use it.
    Claimable,
    /// Its owner lives.
    Living,
    /// Its owner has ended, but a `Local` of it lives on (or was leaked).
    Pinned,
}

/// Whether the lock's holder may use the shard of `owner` and `pins`; a shard that was not made has none.
pub(crate) fn claim<'a>(tokens: &Tokens, owner: &OwnerWord, pins: impl FnOnce() -> Option<&'a Pins>) -> Claim {
    match owner.get() {
        Some(token) if !tokens.is_dead(token) => Claim::Living,
        Some(_) if pins().is_some_and(Pins::is_pinned) => Claim::Pinned,
        Some(_) | None => Claim::Claimable,
    }
}

/// A thread's private part of a heap, an arena or a pool. [`owned_shard!`] implements it.
pub(crate) trait OwnedShard: Zeroable + 'static {
    /// Whether the thread's cache keeps the last one found in an entry of its own.
    const HOT: bool;
    /// Number of its living `Local`s.
    fn pins(&self) -> &Pins;
    /// The owner, or the claimer under the lock, begins to use the shard.
    fn enter(&self);
    /// What a thread without a shard uses; never written.
    fn none() -> &'static Self;
    /// Whether this is [`OwnedShard::none`].
    #[inline(always)]
    fn is_none(&self) -> bool {
        core::ptr::eq(self, Self::none())
    }
}

/// Implements [`OwnedShard`] for a struct with fields `pins` and `ghost`, given its value of zero bytes. That value is
/// a constant only outside the model checker, so no function could return it in both builds. The word `unsafe` stands
/// for the contract of [`Zeroable`], which the macro's caller keeps.
macro_rules! owned_shard {
    (hot: $hot:literal, unsafe $shard:ident { $($field:ident: $zero:expr,)* }) => {
        // SAFETY: the macro's caller has said so, and why.
        unsafe impl $crate::memory::table::Zeroable for $shard {
            fn zeroed() -> Self {
                Self { $($field: $zero,)* }
            }
        }

        $crate::sync::shared_static! {
            static NO_SHARD: $shard = $shard { $($field: $zero,)* };
        }

        impl $crate::region::shards::OwnedShard for $shard {
            const HOT: bool = $hot;
            fn pins(&self) -> &$crate::region::shards::Pins {
                &self.pins
            }
            #[inline(always)]
            fn enter(&self) {
                self.ghost.enter();
            }
            fn none() -> &'static Self {
                &NO_SHARD
            }
        }
    };
}
pub(crate) use owned_shard;

/// The number under which threads remember their shards of one heap, arena or pool. No number is used twice.
///
/// - INV-region.shards-4: the holder of an `Id<S>` has one `Shards<S>` at most, the one searched under this id, which
///   stands from its making until the holder's end.
#[derive(Debug)]
pub(crate) struct Id<S> {
    number: NonZeroU64,
    of: PhantomData<fn() -> S>,
}

impl<S> Clone for Id<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Id<S> {}

impl<S> Id<S> {
    /// An id that nothing had before.
    pub(crate) fn new() -> Self {
        Self::of(thread::next_id())
    }

    /// The id of `number`, which no other has.
    pub(crate) fn of(number: u64) -> Self {
        Self { number: NonZeroU64::new(number).unwrap_or(NonZeroU64::MAX), of: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn get(self) -> NonZeroU64 {
        self.number
    }
}

/// See the module's header.
pub(crate) struct Shards<S> {
    owners: Table<OwnerWord>,
    /// A shard is a few hundred bytes to a few KB, and most threads never come to most arenas.
    all: Box<[OnceLock<Box<S>>]>,
    /// Bytes of the shards that are made.
    made_bytes: Figure,
    /// One more than the thread exits when a thread last found no shard to adopt.
    adopt_failed: CachePadded<AtomicU64>,
}

impl<S: OwnedShard> Shards<S> {
    /// Room for `count` shards without an owner. That which the calling thread will come to is made.
    pub(crate) fn reserve(count: usize) -> Result<Self, SystemRefusal> {
        let (owners, mut all) = (Table::reserve(count)?, Vec::new());
        let refusal = |_| SystemRefusal::of_allocator(count * size_of::<OnceLock<Box<S>>>());
        all.try_reserve_exact(count).map_err(refusal)?;
        all.resize_with(count, OnceLock::new);
        let (all, made_bytes) = (all.into_boxed_slice(), Figure::default());
        let shards = Self { owners, all, made_bytes, adopt_failed: CachePadded::default() };
        if cfg!(all(test, loom)) {
            // The model checker does not see who makes a shard.
            (0..count).try_for_each(|index| shards.make(index, |_| ()).map(|_| ()))?;
        } else if let Some(token) = thread::own_token() {
            shards.make(token.slot() % count.max(1), |_| ())?;
        }
        Ok(shards)
    }

    /// Shard `index`, made now if need be: by its owner, or before there is any.
    fn make(&self, index: usize, made: impl Fn(usize)) -> Result<&S, SystemRefusal> {
        if let Some(shard) = self.all[index].get() {
            return Ok(shard);
        }
        let shard = try_box(S::zeroed())?;
        self.made_bytes.add(size_of::<S>() as u64);
        made(size_of::<S>());
        Ok(self.all[index].get_or_init(|| shard))
    }

    /// Number of shards.
    pub(crate) fn count(&self) -> usize {
        self.owners.len()
    }

    /// Number of shards with an owner, living or ended and not yet swept.
    pub(crate) fn count_owned(&self) -> usize {
        self.owners.iter().filter(|owner| owner.get().is_some()).count()
    }

    /// All shards that are made. What of them may be read is the caller's business.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        self.all.iter().filter_map(|shard| shard.get().map(|shard| &**shard))
    }

    /// Returns the calling thread's shard, the one remembered under `id` or that which `cold` finds, or
    /// [`OwnedShard::none`].
    #[inline(always)]
    pub(crate) fn of_thread<'a>(id: &'a Id<S>, cold: impl FnOnce() -> &'a S) -> &'a S {
        let number = id.get().get();
        match if S::HOT { thread::cached_hot(number) } else { thread::cached(number) } {
            // SAFETY: `find_for` made the entry for this id, which is never reused. So it points into the shards of the
            // id's holder, which stand as long as that is borrowed (INV-region.shards-4), or to the static `none`.
            Some(shard) => unsafe { &*shard.cast::<S>() },
            None => cold(),
        }
    }

    /// Finds the calling thread's shard, adopting one if need be, and remembers it under `id`. `made` is told the bytes
    /// of a shard that is made for it.
    pub(crate) fn find(&self, region: &Region, id: Id<S>, made: impl Fn(usize)) -> &S {
        thread::with_identity(|cache, end| self.find_for(region, id, cache, end, made)).unwrap_or(S::none())
    }

    /// As [`Shards::find`], for the thread that has `cache` and `end`. A thread whose end has begun has no shard, and
    /// nothing is remembered for it.
    pub(crate) fn find_for(
        &self,
        region: &Region,
        id: Id<S>,
        cache: &Cache,
        end: Option<&EndOfThread>,
        made: impl Fn(usize),
    ) -> &S {
        let Some(token) = end.and_then(|end| end.token(tokens())) else { return S::none() };
        let shard = match self.owned_by(token) {
            Some(shard) => shard,
            None => self.adopt(region, token, made).unwrap_or(S::none()),
        };
        let (id, address) = (id.get().get(), core::ptr::from_ref(shard).cast());
        cache.set_owner(token);
        cache.set(id, address);
        if S::HOT {
            cache.set_hot(id, address);
        }
        shard
    }

    /// Whether a thread may have ended since one last found no shard to adopt.
    pub(crate) fn may_adopt(&self) -> bool {
        self.adopt_failed.load(Relaxed) != tokens().exits_hint() + 1
    }

    /// Gives the first claimable shard, with its contents and leases, to `token`.
    fn adopt(&self, region: &Region, token: Token, made: impl Fn(usize)) -> Option<&S> {
        let exits = tokens().exits_hint();
        // Since a thread last found none, no thread has ended: there is none now.
        if self.adopt_failed.load(Relaxed) == exits + 1 {
            return None;
        }
        let index = region.section(|section| {
            let index = self.claimable(section, token)?;
            self.owners[index].set(Some(token));
            Some(index)
        });
        let Some(index) = index else {
            self.adopt_failed.store(exits + 1, Relaxed);
            return None;
        };
        // What the shard's former owner has left idle is the thread's now.
        thread::set_look(None);
        // Outside the lock (INV-region.shards-5). Without memory for it the thread does without, until it asks again.
        let shard = self.make(index, made).ok();
        if shard.is_none() {
            region.section(|_locked| self.owners[index].set(None));
        }
        shard
    }

    /// Index of the shard whose search for `token` begins at its slot.
    fn probe(&self, token: Token) -> impl Iterator<Item = usize> + use<S> {
        let (count, home) = (self.owners.len(), token.slot());
        (0..count).map(move |step| (home + step) % count)
    }

    /// The shard that `token` owns.
    pub(crate) fn owned_by(&self, token: Token) -> Option<&S> {
        let own = self.probe(token).find(|index| self.owners[*index].get() == Some(token))?;
        self.all[own].get().map(|shard| &**shard)
    }

    /// The first shard that may be given to `token` in this section.
    fn claimable(&self, _locked: &mut Section<'_>, token: Token) -> Option<usize> {
        self.probe(token).find(|index| self.claim(*index) == Claim::Claimable)
    }

    /// Whether the holder of the region's lock may use shard `index`.
    fn claim(&self, index: usize) -> Claim {
        claim(tokens(), &self.owners[index], || self.all[index].get().map(|shard| shard.pins()))
    }

    /// The shards that nobody but the lock's holder may use now.
    pub(crate) fn claimed<'a>(&'a self, _locked: &'a Section<'_>) -> impl Iterator<Item = &'a S> {
        let shards = self.all.iter().enumerate();
        shards
            .filter(|(index, _)| self.claim(*index) == Claim::Claimable)
            .filter_map(|(_, shard)| shard.get().map(|shard| &**shard))
            .inspect(|s| s.enter())
    }

    /// Asks the shards of ended threads, one by one, to give something back; those that have nothing lose their owner.
    pub(crate) fn sweep_one(
        &self,
        section: &mut Section<'_>,
        mut give_back: impl FnMut(&mut Section<'_>, &S) -> bool,
    ) -> Sweep {
        let mut outcome = Sweep::Clean;
        for (index, (owner, shard)) in self.owners.iter().zip(self.all.iter()).enumerate() {
            if owner.get().is_none() {
                continue;
            }
            match self.claim(index) {
                Claim::Living => {}
                Claim::Pinned => outcome = Sweep::Pinned,
                Claim::Claimable => {
                    if let Some(shard) = shard.get() {
                        shard.enter();
                        if give_back(section, shard) {
                            return Sweep::GaveBack;
                        }
                    }
                    owner.set(None);
                }
            }
        }
        outcome
    }

    /// Bytes of owner words, of places for shards, and of the shards that are made.
    pub(crate) fn metadata_bytes(&self) -> usize {
        let places = self.all.len() * (size_of::<OnceLock<Box<S>>>() + size_of::<OwnerWord>());
        places + usize::try_from(self.made_bytes.get()).unwrap_or(usize::MAX)
    }

    /// The owner of shard `index` and the shard.
    #[cfg(all(test, loom))]
    pub(crate) fn at(&self, index: usize) -> (Option<Token>, &S) {
        (self.owners[index].get(), self.all[index].get().expect("made with the shards"))
    }
}

/// Shards of a heap or an arena in a region of `capacity` bytes, unless its builder says otherwise.
pub(crate) fn default_count(capacity: usize) -> usize {
    if cfg!(all(test, loom)) {
        // The models' regions are small, and two of their threads have shards.
        return 2;
    }
    (4 * crate::sync::parallelism()).min(capacity / (64 * 1024)).max(1).next_power_of_two()
}
