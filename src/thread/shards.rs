//! `Shards`: the shards of one heap or arena, each with its owner word, and how a thread comes by its own.
//!
//! Which shard a thread uses is decided here alone; below, a shard is an argument. INV-I1 to INV-I4 are those of
//! `thread.rs`.

use crate::error::RegionError;
use crate::region::{Region, Section, Sweep};
use crate::sync::{AtomicU64, CachePadded, Relaxed, mutant};
use crate::table::{Table, Zeroable};

use super::{Cache, Claim, Guard, Owner, Pins, Token, claim, tokens};

/// A thread's private part of a heap or an arena.
pub(crate) trait OwnedShard: Zeroable + 'static {
    /// Whether the thread's cache keeps the last one found in an entry of its own.
    const HOT: bool = false;
    /// Number of its living `Local`s.
    fn pins(&self) -> &Pins;
    /// The owner, or the claimer under the lock, begins to use the shard.
    fn enter(&self);
    /// What a thread without a shard uses; never written.
    fn none() -> &'static Self;
}

/// See the module's header.
pub(crate) struct Shards<S> {
    owners: Table<Owner>,
    all: Table<S>,
    /// One more than the deaths when a thread last found no shard to adopt.
    adopt_failed: CachePadded<AtomicU64>,
}

impl<S: OwnedShard> Shards<S> {
    /// `count` shards without an owner.
    pub(crate) fn reserve(count: usize) -> Result<Self, RegionError> {
        let (owners, all) = (Table::reserve(count)?, Table::reserve(count)?);
        Ok(Self { owners, all, adopt_failed: CachePadded::default() })
    }

    /// Number of shards.
    pub(crate) fn count(&self) -> usize {
        self.owners.len()
    }

    /// Number of shards with an owner, living or ended and not yet swept.
    pub(crate) fn count_owned(&self) -> usize {
        self.owners.iter().filter(|owner| owner.get().is_some()).count()
    }

    /// All shards. What of them may be read is the caller's business.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        self.all.iter()
    }

    /// The shard of the thread that has `cache` and `guard`, adopting one if need be, and remembered in the cache under
    /// `id`; or [`OwnedShard::none`]. A thread whose guard is gone has none and is remembered nowhere.
    pub(crate) fn find(&self, region: &Region, id: u64, cache: &Cache, guard: Option<&Guard>) -> &S {
        let Some(token) = guard.and_then(|guard| guard.token(tokens())) else { return S::none() };
        let shard = match self.owned_by(token) {
            Some(shard) => shard,
            None => self.adopt(region, token).unwrap_or(S::none()),
        };
        cache.set(id, core::ptr::from_ref(shard).cast());
        if S::HOT {
            cache.set_hot(id, core::ptr::from_ref(shard).cast());
        }
        shard
    }

    /// Whether a thread may have ended since one last found no shard to adopt.
    pub(crate) fn may_adopt(&self) -> bool {
        self.adopt_failed.load(Relaxed) != tokens().deaths_hint() + 1
    }

    /// Gives the first claimable shard, with its contents and leases, to `token`.
    fn adopt(&self, region: &Region, token: Token) -> Option<&S> {
        let deaths = tokens().deaths_hint();
        // Since a thread last found none, no thread has ended: there is none now.
        if self.adopt_failed.load(Relaxed) == deaths + 1 {
            return None;
        }
        let outside = mutant!("rule.thread.adopt-outside-lock");
        let index = region.section(|section| {
            let index = self.claimable(section, token)?;
            if !outside {
                self.owners[index].set(Some(token));
            }
            Some(index)
        });
        if outside && let Some(index) = index {
            self.owners[index].set(Some(token));
        }
        if index.is_none() {
            self.adopt_failed.store(deaths + 1, Relaxed);
        }
        index.map(|index| &self.all[index])
    }

    /// Index of the shard whose search for `token` begins at its slot.
    fn probe(&self, token: Token) -> impl Iterator<Item = usize> + use<S> {
        let (count, home) = (self.owners.len(), token.slot());
        (0..count).map(move |step| (home + step) % count)
    }

    /// The shard that `token` owns.
    pub(crate) fn owned_by(&self, token: Token) -> Option<&S> {
        self.probe(token).find(|index| self.owners[*index].get() == Some(token)).map(|index| &self.all[index])
    }

    /// The first shard that may be given to `token` in this section.
    fn claimable(&self, _locked: &mut Section<'_>, token: Token) -> Option<usize> {
        self.probe(token).find(|index| self.claim(*index) == Claim::Claimable)
    }

    /// Whose `shard` is.
    pub(crate) fn owner_of(&self, shard: &S) -> Option<Token> {
        self.all.iter().position(|other| core::ptr::eq(other, shard)).and_then(|index| self.owners[index].get())
    }

    /// Whether the holder of the region's lock may use shard `index`.
    fn claim(&self, index: usize) -> Claim {
        claim(tokens(), &self.owners[index], self.all[index].pins())
    }

    /// The shards that nobody but the lock's holder may use now.
    pub(crate) fn claimed<'a>(&'a self, _locked: &'a Section<'_>) -> impl Iterator<Item = &'a S> {
        let shards = self.all.iter().enumerate();
        shards
            .filter(|(index, _)| self.claim(*index) == Claim::Claimable)
            .map(|(_, shard)| shard)
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
                    shard.enter();
                    if give_back(section, shard) {
                        return Sweep::GaveBack;
                    }
                    owner.set(None);
                }
            }
        }
        outcome
    }

    /// Bytes of shards and owner words.
    pub(crate) fn metadata_bytes(&self) -> usize {
        self.all.len() * (size_of::<S>() + size_of::<Owner>())
    }

    /// The owner of shard `index` and the shard.
    #[cfg(all(test, loom))]
    pub(crate) fn at(&self, index: usize) -> (Option<Token>, &S) {
        (self.owners[index].get(), &self.all[index])
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
