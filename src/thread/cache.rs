//! `Cache`: which shard of which heap or arena is the calling thread's own, found without a look at the owner words.
//!
//! Four entries by id, and one for the arena found last. An id is never reused, so an entry can be stale in one way
//! only: its thread's token has ended, and then the cache is empty (INV-region.shards-3).

use core::cell::Cell;

use crate::sync::{AtomicU64, Relaxed, shared_static};

use super::Token;

/// Between two ids: the length of a cache entry's word.
pub(super) const ID_STEP: u64 = size_of::<u64>() as u64;

/// An id for a heap or an arena, never given twice, never 0, a multiple of [`ID_STEP`].
pub(crate) fn next_id() -> u64 {
    shared_static! {
        static NEXT: AtomicU64 = AtomicU64::new(ID_STEP);
    }
    // Relaxed: only the number matters; an id reaches other threads by its owner's publication.
    NEXT.fetch_add(ID_STEP, Relaxed)
}

/// What a thread found out when it last found nothing idle in a region; see `region/published.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// The region's number; 0: the thread remembers no look.
    pub(crate) region: u64,
    /// The address of the only set that was looked at; 0: all were.
    pub(crate) scope: usize,
    /// The address of the holder of the thread's own idle memory in the set that was asked; 0 without a holder.
    pub(crate) holder: usize,
    /// What had become idle, and which threads had ended, before the look.
    pub(crate) idled: u64,
    pub(crate) exits: u64,
}

impl Look {
    const NONE: Self = Self { region: 0, scope: 0, holder: 0, idled: 0, exits: 0 };
}

/// A thread's cache: which shard of which heap or arena is its own. `S` is the shard's type.
#[derive(Debug)]
pub(crate) struct Cache {
    hot_id: Cell<u64>,
    hot_shard: Cell<*const ()>,
    ids: [Cell<u64>; Self::ENTRIES],
    shards: [Cell<*const ()>; Self::ENTRIES],
    /// The token under which the thread has looked for shards. It outlives its end, for `Local`s may still pin some.
    owner: Cell<Option<Token>>,
    look: Cell<Look>,
}

impl Cache {
    const ENTRIES: usize = 4;

    pub(crate) const fn new() -> Self {
        Self {
            hot_id: Cell::new(0),
            hot_shard: Cell::new(core::ptr::null()),
            ids: [const { Cell::new(0) }; Self::ENTRIES],
            shards: [const { Cell::new(core::ptr::null()) }; Self::ENTRIES],
            owner: Cell::new(None),
            look: Cell::new(Look::NONE),
        }
    }

    /// The entry of `id`: heaps and arenas made one after the other have entries of their own. As ids are multiples of
    /// [`ID_STEP`], its offset is a part of the id's bits as they stand.
    #[inline(always)]
    fn entry(id: u64) -> usize {
        (id / ID_STEP) as usize % Self::ENTRIES
    }

    /// The address kept for `id`, which is not 0.
    #[inline(always)]
    pub(crate) fn get(&self, id: u64) -> Option<*const ()> {
        let entry = Self::entry(id);
        (self.ids[entry].get() == id).then(|| self.shards[entry].get())
    }

    pub(crate) fn set(&self, id: u64, value: *const ()) {
        let entry = Self::entry(id);
        self.ids[entry].set(id);
        self.shards[entry].set(value);
    }

    /// As [`Cache::get`], looking first where [`Cache::set_hot`] put it last.
    #[inline(always)]
    pub(crate) fn get_hot(&self, id: u64) -> Option<*const ()> {
        if self.hot_id.get() == id { Some(self.hot_shard.get()) } else { self.get(id) }
    }

    pub(crate) fn set_hot(&self, id: u64, value: *const ()) {
        self.hot_id.set(id);
        self.hot_shard.set(value);
    }

    pub(super) fn owner(&self) -> Option<Token> {
        self.owner.get()
    }

    pub(crate) fn set_owner(&self, token: Token) {
        self.owner.set(Some(token));
    }

    /// The thread's last look, if it remembers one.
    pub(super) fn look(&self) -> Look {
        self.look.get()
    }

    pub(super) fn set_look(&self, look: Option<Look>) {
        self.look.set(look.unwrap_or(Look::NONE));
    }

    /// Forgets all shards.
    pub(super) fn clear(&self) {
        self.hot_id.set(0);
        self.ids.iter().for_each(|id| id.set(0));
    }
}
