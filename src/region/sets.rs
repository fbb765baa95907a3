//! The list of a region's clients (heaps, arenas, accounts), each a [`ShardSet`], and what the lock's holder may take
//! of them.
//!
//! - INV-region.sets-1: a set is in the list from its first use until its drop, which leaves it inside a critical
//!   section; so under the lock every pointer in the list is valid.
//!
//! Synchronised by the region's lock: the list is read and changed through a [`Section`] only.
#![expect(unsafe_code, reason = "follows the region's list of shard sets")]

use core::cell::Cell;
use core::marker::PhantomPinned;
use core::ptr::NonNull;

use crate::base::error::LimitOwner;
use crate::base::extent::Extent;
use crate::thread::{Token, tokens};

use super::Section;
use super::budget::Budget;

/// A client as its region sees it: its budget, and what of it can be given back. All methods run inside the region's
/// critical section. A client that has nothing idle is content with the provided ones.
pub(crate) trait ShardSet: Sync {
    /// The set's own usage and limit.
    fn budget(&self) -> &Budget;
    /// The set's place in the region's list.
    fn links(&self) -> &Links;
    /// Bytes of nodes and shards.
    fn metadata_bytes(&self) -> usize;
    /// What an error calls the owner of the set's own limit.
    fn limit_owner(&self) -> LimitOwner {
        LimitOwner::Own
    }

    /// Gives one full magazine of the depot back to the index; `false` if there is none.
    fn drain_one(&self, _section: &mut Section<'_>) -> bool {
        false
    }
    /// Gives back the block that waits longest in the set's quarantine; `false` if none waits.
    fn drain_quarantine(&self, _section: &mut Section<'_>) -> bool {
        false
    }
    /// Gives back one magazine of the shard that `owner` has here, if any; the caller is that owner's thread, and none
    /// of its calls is under way in this set.
    fn drain_owned(&self, _section: &mut Section<'_>, _owner: Token) -> bool {
        false
    }
    /// Gives back at most one magazine of a shard whose thread has ended.
    fn sweep_one(&self, _section: &mut Section<'_>) -> Sweep {
        Sweep::Clean
    }
    /// Calls `each` for every extent that is cached where nobody else can be at work now.
    fn for_cached(&self, _section: &Section<'_>, _each: &mut dyn FnMut(Extent)) {}
}

/// Outcome of a look at the dead shards of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Nothing of an ended thread is left here.
    Clean,
    /// A magazine was given back; there may be more.
    GaveBack,
    /// An ended thread's shard is still pinned by a `Local`.
    Pinned,
}

type SetRef = NonNull<dyn ShardSet>;

/// Where something idle may be, in the order in which a region is first searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The quarantines of checked heaps.
    Waiting,
    /// The depots, and what an arena's threads share.
    Depots,
    /// The caller's shard in the set that is asked.
    Own,
    /// The caller's shards in all sets.
    Owned,
    /// The shards of ended threads.
    Ended,
}

impl Source {
    const COUNT: usize = 5;

    /// Returns the source that is searched after this one, the first after the last.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Waiting => Self::Depots,
            Self::Depots => Self::Own,
            Self::Own => Self::Owned,
            Self::Owned => Self::Ended,
            Self::Ended => Self::Waiting,
        }
    }
}

/// The list of a region's clients, and where its walks begin.
#[derive(Debug)]
pub(super) struct Sets {
    first: Option<SetRef>,
    /// The set in which each source was found last; a set of the list, or none: the first.
    found: [Option<SetRef>; Source::COUNT],
    /// The source that was found last.
    pub(super) source: Source,
}

impl Sets {
    /// Whether no set but one is in the list, or none.
    fn is_single(&self) -> bool {
        // SAFETY: INV-region.sets-1.
        self.first.is_none_or(|first| unsafe { first.as_ref() }.links().next.get().is_none())
    }

    /// An empty list.
    pub(super) fn new() -> Self {
        Self { first: None, found: [None; Source::COUNT], source: Source::Waiting }
    }
}

/// Whether both are the same set.
fn is_same(one: SetRef, other: SetRef) -> bool {
    one.addr() == other.addr()
}

/// A set's neighbours in the region's list; read and written under the region's lock only.
#[derive(Default)]
pub(crate) struct Links {
    previous: Cell<Option<SetRef>>,
    next: Cell<Option<SetRef>>,
    listed: Cell<bool>,
    /// Other threads follow the list to a set whose drop, with its `&mut self`, waits for the lock: a pinned type's
    /// exclusive reference claims no exclusive access.
    _pinned: PhantomPinned,
}

impl Section<'_> {
    /// Puts `set` into the region's list.
    ///
    /// # Safety
    /// `set` stays where it is and is not dropped before [`Section::unregister`] (INV-region.sets-1).
    pub(crate) unsafe fn register(&mut self, set: NonNull<dyn ShardSet>) {
        // SAFETY: the caller's contract: valid until unregistered.
        let links = unsafe { set.as_ref() }.links();
        debug_assert!(!links.listed.get(), "registered once");
        links.listed.set(true);
        links.previous.set(None);
        links.next.set(self.state.sets.first);
        if let Some(first) = self.state.sets.first {
            // SAFETY: INV-region.sets-1.
            unsafe { first.as_ref() }.links().previous.set(Some(set));
        }
        self.state.sets.first = Some(set);
    }

    /// Takes `set` out of the region's list; what its callers still hold stays charged to the region.
    pub(crate) fn unregister(&mut self, set: &dyn ShardSet) {
        let links = set.links();
        if !links.listed.replace(false) {
            return;
        }
        let (previous, next) = (links.previous.take(), links.next.take());
        match previous {
            // SAFETY: INV-region.sets-1.
            Some(previous) => unsafe { previous.as_ref() }.links().next.set(next),
            None => self.state.sets.first = next,
        }
        if let Some(next) = next {
            // SAFETY: INV-region.sets-1.
            unsafe { next.as_ref() }.links().previous.set(previous);
        }
        let gone = core::ptr::from_ref(set).addr();
        for at in &mut self.state.sets.found {
            if at.is_some_and(|at| at.addr().get() == gone) {
                *at = next;
            }
        }
        self.state.orphaned += set.budget().usage();
    }

    /// Calls `visit` for every set.
    pub(super) fn for_sets(&mut self, mut visit: impl FnMut(&mut Self, &dyn ShardSet)) {
        let mut at = self.state.sets.first;
        while let Some(set) = at {
            // SAFETY: INV-region.sets-1; no visitor unregisters a set.
            let set = unsafe { set.as_ref() };
            visit(self, set);
            at = set.links().next.get();
        }
    }

    /// Asks the sets for something of `source`, from that one on which had some last, until one has.
    fn any_set(&mut self, source: Source, mut did: impl FnMut(&mut Self, &dyn ShardSet) -> bool) -> bool {
        let begin = self.state.sets.found[source as usize].or(self.state.sets.first);
        let mut at = begin;
        while let Some(found) = at {
            // SAFETY: INV-region.sets-1; nothing that is asked unregisters a set.
            let set = unsafe { found.as_ref() };
            if did(self, set) {
                self.state.sets.found[source as usize] = at;
                return true;
            }
            let next = set.links().next.get().or(self.state.sets.first);
            at = next.filter(|next| !begin.is_some_and(|begin| is_same(*next, begin)));
        }
        false
    }

    /// Gives one full magazine back: of `own` first, then, if `others` too, of any other set.
    pub(crate) fn drain_one(&mut self, own: &dyn ShardSet, others: bool) -> bool {
        own.drain_one(self) || (others && !self.state.sets.is_single() && self.drain_any())
    }

    /// Gives one full magazine of any set back.
    pub(super) fn drain_any(&mut self) -> bool {
        self.any_set(Source::Depots, |section, set| set.drain_one(section))
    }

    /// Gives back one magazine of a shard that `owner` has in any set; the caller is that owner's thread.
    pub(super) fn drain_owned(&mut self, owner: Token) -> bool {
        self.any_set(Source::Owned, |section, set| set.drain_owned(section, owner))
    }

    /// Gives one block back that waits in a quarantine: of `own` first, then, if `others` too, of any other set.
    pub(crate) fn drain_quarantine(&mut self, own: &dyn ShardSet, others: bool) -> bool {
        self.state.waiting > 0 && (own.drain_quarantine(self) || (others && self.drain_any_quarantine()))
    }

    /// Gives one block back that waits in the quarantine of any set.
    pub(super) fn drain_any_quarantine(&mut self) -> bool {
        self.state.waiting > 0 && self.any_set(Source::Waiting, |section, set| set.drain_quarantine(section))
    }

    /// Gives back at most one magazine of an ended thread; `false` once there is none left.
    pub(crate) fn sweep_one(&mut self) -> bool {
        let exits = tokens().exits();
        if exits == self.state.swept {
            return false;
        }
        let mut complete = true;
        let gave_back = self.any_set(Source::Ended, |section, set| match set.sweep_one(section) {
            Sweep::Clean => false,
            Sweep::Pinned => {
                complete = false;
                false
            }
            Sweep::GaveBack => true,
        });
        if complete && !gave_back {
            self.state.swept = exits;
        }
        gave_back
    }
}
