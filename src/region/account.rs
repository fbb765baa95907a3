//! `Account`: what a client without anything idle is to its region: an own usage, and a place in the region's list.
//!
//! An arena of whole blocks, or a table in a region, holds extents and caches none. Its region needs no more of it than
//! its budget, so that figures add up (INV-region-2), and the client no more of the region than extents.
//!
//! - INV-region.account-1: the member is in its region's list from `open` until the account's drop, and is boxed and
//!   pinned meanwhile.
//!
//! Synchronised by the region's lock. The list of extents is the client's business.
#![expect(unsafe_code, reason = "the region's list; wipes what is given back")]

use core::alloc::Layout;
use core::pin::Pin;
use core::ptr::NonNull;

use crate::base::error::{AllocError, AllocErrorKind, LimitOwner};
use crate::base::extent::Extent;
use crate::base::system::SystemRefusal;
use crate::memory::table::try_box;
use crate::sync::Figure;

use super::budget::Budget;
use super::{Blocker, Client, Idle, Links, Region, Section, ShardSet, Wanted};

/// See the module's header.
pub(crate) struct Account {
    region: Region,
    member: Pin<Box<Member>>,
}

/// The account as its region sees it.
struct Member {
    budget: Budget,
    links: Links,
    metadata_bytes: Figure,
}

// SAFETY: `links` is used under the region's lock only; the rest is Send and Sync by itself.
unsafe impl Send for Member {}
// SAFETY: as for Send.
unsafe impl Sync for Member {}

impl ShardSet for Member {
    fn budget(&self) -> &Budget {
        &self.budget
    }

    fn links(&self) -> &Links {
        &self.links
    }

    fn metadata_bytes(&self) -> usize {
        size_of::<Self>() + usize::try_from(self.metadata_bytes.get()).unwrap_or(usize::MAX)
    }
}

impl Client for Account {
    fn region(&self) -> &Region {
        &self.region
    }

    fn set(&self) -> &dyn ShardSet {
        &*self.member
    }
}

impl Account {
    /// An account in `region`, at its first use: takes the lock once.
    ///
    /// # Errors
    /// `System` where the global allocator has no memory.
    pub(crate) fn open(region: Region) -> Result<Self, SystemRefusal> {
        let budget = Budget::new(usize::MAX, region.capacity(), region.slack_divisor());
        let member = Member { budget, links: Links::default(), metadata_bytes: Figure::default() };
        let member = Box::into_pin(try_box(member)?);
        let set: NonNull<dyn ShardSet> = NonNull::from(&*member);
        // SAFETY: `register`'s contract: a pinned box does not move, and the account's drop unregisters it
        // (INV-region.account-1).
        region.section(|section| unsafe { section.register(set) });
        Ok(Self { region, member })
    }

    /// The account's holder has so many bytes more of lists and the like.
    pub(crate) fn add_metadata_bytes(&self, bytes: usize) {
        self.member.metadata_bytes.add(bytes as u64);
    }

    /// Takes an extent of at least `bytes` bytes for a request of `layout`, which an error names; the extent and its
    /// first byte's address. Before it refuses, what is idle in the region's heaps and arenas was given back, the
    /// calling thread's magazines among it.
    pub(crate) fn take(&self, bytes: usize, layout: Layout) -> Result<(Extent, NonNull<u8>), AllocError> {
        let Some(wanted) = Wanted::new(bytes, layout) else {
            return Err(self.region.section(|section| section.refuse_outright(&*self.member, layout)));
        };
        let granule = self.region.take_or_refuse(
            &*self.member,
            wanted,
            &mut Idle(Some(0), |_: &mut Section<'_>| false),
            |_, _| {},
        )?;
        Ok((Extent::new(granule, wanted.len), self.region.memory().granule(granule)))
    }

    /// Gives `extents` back, the last thing that is done with the account. A region that nobody else has goes as a
    /// whole instead. Sorts them, so that the neighbours of a batch are each other's.
    ///
    /// # Safety
    /// As for [`Account::give_back`].
    pub(crate) unsafe fn close(&self, extents: &mut [Extent]) {
        if self.region.is_last() {
            return;
        }
        extents.sort_unstable();
        // SAFETY: this function's contract.
        unsafe { self.give_back(extents.iter().copied()) };
    }

    /// Whether nobody else has the region, so that it goes as a whole with this account.
    pub(crate) fn is_last(&self) -> bool {
        self.region.is_last()
    }

    /// Gives `extents` back, wiped if the region asks for that, many under one hold of the lock.
    ///
    /// # Safety
    /// Each of `extents` is one that `take` gave, is named once, and nothing refers to its memory any more.
    pub(crate) unsafe fn give_back(&self, extents: impl IntoIterator<Item = Extent>) {
        let mut returns = self.region.returns(&self.member.budget);
        for extent in extents {
            // SAFETY: this function's contract.
            unsafe { self.region.wipe_extent(extent) };
            returns.push(extent);
        }
    }

    /// Gives back an extent whose address nobody was told: no read of it can be stale, so it does not wait in guard
    /// mode's quarantine, and the region's usage is what it was before.
    ///
    /// # Safety
    /// `take` gave `extent`, and nothing refers to its memory.
    pub(crate) unsafe fn give_back_untold(&self, extent: Extent) {
        // SAFETY: this function's contract.
        unsafe { self.region.wipe_extent(extent) };
        let given_back = self.region.section(|section| section.give_back(&self.member.budget, extent));
        debug_assert!(given_back.is_ok(), "the caller's contract");
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.region.is_last() {
            self.region.section(|section| section.unregister(&*self.member));
        }
    }
}

impl Region {
    /// The figures of a refusal that is no region's, for a client whose region is `made`, if it has one yet.
    pub(crate) fn refusal_of(made: Option<Region>, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        let (usage, limit, largest_free, limit_owner) = (0, usize::MAX, 0, LimitOwner::New);
        let unknown = AllocError { requested, align, usage, limit, largest_free, kind, limit_owner };
        made.map_or(unknown, |region| region.refusal(requested, align, kind))
    }

    /// The region's figures for a refusal that is not its own.
    pub(crate) fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        let figures = self.section(|section| section.error(None, Blocker::Region, requested, align));
        AllocError { kind, ..figures }
    }
}
