//! `Published`: what a request may see without the lock, so that it can be refused without it.
//!
//! Two words are stored for requests that do not hold the lock:
//!
//! - **longest** is the length of the longest free extent, in granules, or [`Published::ASK`] if only the holder of the
//!   lock can tell. Each section that changes it stores it at its end.
//!   - INV-region.published-1: outside a section the word equals the index's. So a thread that loads `n` knows one
//!     moment at which no free extent was longer than `n`, and no extent was on its way to or from the system.
//! - **idled** counts the memory that became idle where a refused request of another thread may take it: a full
//!   magazine in a depot, a shared chunk, a block in a quarantine. It is raised after the memory is there.
//!
//! A thread remembers its last [`Look`]. A section of its own request found nothing idle then; the look keeps the count
//! `idled` and the number of thread exits from before that section. The thread itself gains idle memory in three ways:
//! by a lease, with a magazine of a depot, with the shard of an ended thread. Each of them makes it forget the look.
//!
//! - INV-region.published-2: while a thread remembers a look of a region, and `idled` and the exits are unchanged, a
//!   request of this thread may count on no idle memory there except what is pending at the look's holder.
//!
//! A request is refused without the lock if `longest` is too short for it, and the look holds *after* that load. At the
//! moment of the load no extent was long enough and nothing was idle. In the other order another thread could make
//! memory idle and take the last extent between the two steps. A request that a limit refuses takes the lock; a look
//! spares it the search for idle memory there.

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

    /// Stores the length of the longest free extent, or [`Published::ASK`]. Called by the holder of the lock.
    #[inline(always)]
    pub(super) fn publish(&self, longest: u32) {
        // ORDERING(Release): a thread that sees this length sees all memory that this holder of the lock, and those
        // before it, made idle.  pairs: `longest`'s Acquire.  loom: m20_taken; Relaxed fails it.
        self.longest.store(longest, Release);
    }

    /// Returns the granules of the longest free extent, or [`Published::ASK`].
    #[inline(always)]
    pub(super) fn longest(&self) -> u32 {
        // ORDERING(Acquire): the look is compared behind it.  pairs: `publish`'s Release.  loom: m20_taken; Relaxed
        // fails it.
        self.longest.load(Acquire)
    }

    /// Counts memory that has become idle.
    pub(super) fn raise_idled(&self) {
        if !Self::is_on() {
            return;
        }
        // ORDERING(Release): a look that sees this count finds the memory.  pairs: `idled`'s Acquire.
        //   loom: m20_counted; Relaxed fails it.
        self.idled.fetch_add(1, Release);
    }

    /// Returns the count before a look.
    pub(super) fn idled(&self) -> u64 {
        if !Self::is_on() {
            return 0;
        }
        // ORDERING(Acquire): the look finds the memory that was counted.  pairs: `raise_idled`'s Release.
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
    /// Publishes the length of the longest free extent, at the end of a section.
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
