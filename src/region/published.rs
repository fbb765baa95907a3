//! `Published`: what a request may see without the lock, so that it can be refused without it.
//!
//! Each word is written for those who look from outside:
//!
//! - **longest** is stored at the end of every section that changed it: the granules of the longest free extent, or
//!   [`Published::ASK`] where only the lock's holder can tell.
//!   - INV-region.published-1: outside a section it is the index's, so whoever loads `n` knows that at one moment no
//!     free extent was longer than `n`, and that nothing was out of the index on its way to or from the system.
//! - **idled** counts what became idle where a refused request of another thread may take it: a full magazine in a
//!   depot, a shared chunk, a block that waits in a quarantine. It is raised afterwards.
//!
//! A thread remembers its last [`Look`]: that a section of its own request has found nothing idle, and what `idled` and
//! the thread exits were before. What the thread itself may hold idle it can only have by a lease of its own, or with a
//! magazine of a depot or the shard of an ended thread; each of these makes it forget the look.
//!
//! - INV-region.published-2: while a thread remembers a look of a region and `idled` and the exits are as they were,
//!   nothing is idle there that a request of this thread may count on, but for what is pending at the holder that the
//!   look names.
//!
//! So a request is refused without the lock if `longest` leaves no room for it, and *then* the look still holds: at
//! the moment of the first load there was no room, and nothing idle. Read in the other order, another thread could make
//! something idle and take the last room in between. What a limit refuses takes the lock: a look spares it the search
//! for idle memory there.

use crate::sync::{Acquire, AtomicU32, AtomicU64, Relaxed, Release};
use crate::thread;

use super::State;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Published {
    /// The region's number, which no other has.
    pub(super) id: u64,
    longest: AtomicU32,
    idled: AtomicU64,
}

impl Published {
    /// Longer than every extent.
    pub(super) const ASK: u32 = u32::MAX;

    pub(super) fn new() -> Self {
        Self { id: thread::next_id(), longest: AtomicU32::new(Self::ASK), idled: AtomicU64::new(0) }
    }

    /// Whether anything is published: always, but in the models of other protocols.
    #[inline(always)]
    pub(super) fn is_on() -> bool {
        #[cfg(not(all(test, loom)))]
        return true;
        #[cfg(all(test, loom))]
        crate::sync::is_published()
    }

    /// The longest free extent has so many granules now, or [`Published::ASK`]. By the lock's holder.
    #[inline(always)]
    pub(super) fn publish(&self, longest: u32) {
        // ORDERING(Release): what the holder, and who held the lock before, made idle is seen by whoever sees that the
        // room is gone.  pairs: `longest`'s Acquire.  loom: m20_taken; Relaxed fails it.
        self.longest.store(longest, Release);
    }

    /// Returns the granules of the longest free extent, or [`Published::ASK`].
    #[inline(always)]
    pub(super) fn longest(&self) -> u32 {
        // ORDERING(Acquire): the look is compared behind it.  pairs: `publish`'s Release.  loom: m20_taken; Relaxed
        // fails it.
        self.longest.load(Acquire)
    }

    /// Something became idle.
    pub(super) fn raise_idled(&self) {
        if !Self::is_on() {
            return;
        }
        // ORDERING(Release): a look that counts it finds what it is.  pairs: `idled`'s Acquire.
        //   loom: m20_counted; Relaxed fails it.
        self.idled.fetch_add(1, Release);
    }

    /// Returns the count before a look.
    pub(super) fn idled(&self) -> u64 {
        if !Self::is_on() {
            return 0;
        }
        // ORDERING(Acquire): the look finds what was counted.  pairs: `raise_idled`'s Release.
        //   loom: m20_counted; Relaxed fails it.
        self.idled.load(Acquire)
    }

    /// Returns whether the calling thread's last look, by `holder`, was of everything, or of the set at `scope`, and
    /// still holds.
    #[inline(always)]
    pub(super) fn still_holds(&self, holder: usize, scope: usize) -> bool {
        // Relaxed, both: behind the loads that found no room.
        thread::look_holds(holder, |look| {
            (look.region, look.idled) == (self.id, self.idled.load(Relaxed))
                && look.exits == thread::tokens().exits_hint()
                && (look.scope == 0 || look.scope == scope)
        })
    }
}

impl State {
    /// Publishes what the index has now, at the end of a section.
    #[inline(always)]
    pub(super) fn publish(&mut self, published: &Published) {
        // In guard mode extents come and go beside the index.
        let is_moving = self.trimming.is_some() || self.guard.is_some();
        let longest = if is_moving { Published::ASK } else { self.index.longest_short() };
        if longest != self.longest && Published::is_on() {
            self.longest = longest;
            published.publish(longest);
        }
    }
}
