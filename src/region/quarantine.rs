//! Guard mode: what was freed is unreadable for a while, so that a stale read ends the program where it happens.
//!
//! Whoever gives back a whole extent with a whole page in it makes it the region's own, hides its pages, and lets it
//! wait in the region's quarantine: a ring. It leaves when newer ones have filled the ring, or when a request would be
//! refused without it, oldest first: its pages are shown again, and it returns to the index.
//!
//! - INV-region.quarantine-1: a quarantined extent waits in the ring, or is moving: on its way in or out, in one
//!   thread's hands. It is used in the index and charged to the region, to no set.
//! - INV-region.quarantine-2: a hidden page lies in a quarantined extent: what the index gives is readable.
//! - INV-region.quarantine-3: `marks` has the bit of a page if and only if that is the first whole page of a
//!   quarantined extent. So what is named by its offset is known for quarantined by one bit: no two extents have the
//!   same first page.
//! - INV-region.quarantine-4: `count + moving ≤ ENTRIES`: an extent that the system cannot show finds its place in the
//!   ring again, as the newest. Each entry may cost the process two mappings, of which the system allows some 65,000.
//! - INV-region.quarantine-5: when a give-back has ended, what waits is a quarter of the limit at most, or one extent,
//!   or could not be shown.
//!
//! Synchronised by the region's lock; the system calls run outside it, while the extent is moving. A request that would
//! be refused beside a moving extent searches again until none moves.
//!
//! Deliberately not here: blocks of a size class, which magazines keep; tails that a shrink or a chunk cuts off; the
//! pages that an extent shares with its neighbours. Extents of a page and more are placed on page boundaries where
//! there is room, so that a large block's first byte is on a page of its own.

use crate::base::error::{FreeError, RegionError};
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::memory::table::Table;
use crate::sync::shielded;

use super::budget::Budget;
use super::request::Step;
use super::{Region, Section, Wipe};

/// Extents that may be quarantined at once.
const ENTRIES: usize = if cfg!(all(test, loom)) { 4 } else { 1024 };
/// The part of the limit that may wait.
const PART: usize = 4;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Quarantine {
    /// Offset and length of each extent that waits, the oldest at `first`.
    ring: Table<[u32; 2]>,
    first: usize,
    count: usize,
    /// Granules that wait.
    waiting: u32,
    /// Extents on their way in or out, and their granules.
    moving: usize,
    on_the_way: u32,
    /// A bit a page of the region.
    marks: Table<u64>,
    /// Granules of a page.
    page: u32,
}

/// How an extent begins to be given back.
enum Entering {
    /// It is the region's, to be hidden.
    Hide,
    /// It is in the index.
    GivenBack,
    /// There is no place for it until this one has left.
    After(Extent),
}

impl Quarantine {
    /// An empty quarantine for a region of `granules` granules and pages of `page`.
    pub(super) fn reserve(granules: u32, page: u32) -> Result<Self, RegionError> {
        let words = (granules / page) as usize / 64 + 1;
        let (ring, marks) = (Table::reserve(ENTRIES)?, Table::reserve(words)?);
        Ok(Self { ring, first: 0, count: 0, waiting: 0, moving: 0, on_the_way: 0, marks, page })
    }

    /// Granules that are quarantined.
    pub(super) fn granules(&self) -> u32 {
        self.waiting + self.on_the_way
    }

    /// Bytes of the ring and the marks.
    pub(super) fn metadata_bytes(&self) -> usize {
        self.ring.used_bytes(self.ring.len()) + self.marks.used_bytes(self.marks.len())
    }

    /// Word and bit of the first whole page in `extent`.
    fn mark(&self, extent: Extent) -> Option<(usize, u64)> {
        let page = first_page(extent, self.page)?;
        Some((page as usize / 64, 1 << (page % 64)))
    }

    fn is_marked(&self, extent: Extent) -> bool {
        self.mark(extent).is_some_and(|(word, bit)| self.marks[word] & bit != 0)
    }

    /// `extent`, a live one, becomes quarantined.
    fn enter(&mut self, extent: Extent) {
        if let Some((word, bit)) = self.mark(extent) {
            self.marks[word] |= bit;
        }
        self.moving += 1;
        self.on_the_way += extent.len;
    }

    /// `extent`, a moving one, is quarantined no more.
    fn leave(&mut self, extent: Extent) {
        if let Some((word, bit)) = self.mark(extent) {
            self.marks[word] &= !bit;
        }
        self.moving -= 1;
        self.on_the_way -= extent.len;
    }

    /// `extent`, a moving one, waits as the newest.
    fn push(&mut self, extent: Extent) {
        debug_assert!(self.count < ENTRIES, "INV-region.quarantine-4");
        let last = (self.first + self.count) % ENTRIES;
        self.ring[last] = [extent.offset, extent.len];
        self.count += 1;
        self.waiting += extent.len;
        self.moving -= 1;
        self.on_the_way -= extent.len;
    }

    /// The oldest begins to move.
    fn pop(&mut self) -> Option<Extent> {
        self.count = self.count.checked_sub(1)?;
        let [offset, len] = self.ring[self.first];
        self.first = (self.first + 1) % ENTRIES;
        self.waiting -= len;
        self.moving += 1;
        self.on_the_way += len;
        Some(Extent::new(offset, len))
    }
}

/// The first whole page of `page` granules in `extent`.
fn first_page(extent: Extent, page: u32) -> Option<u32> {
    let first = extent.offset.div_ceil(page);
    let end = u64::from(extent.offset) + u64::from(extent.len);
    ((u64::from(first) + 1) * u64::from(page) <= end).then_some(first)
}

impl Section<'_> {
    /// Bytes that are quarantined.
    pub(super) fn quarantined(&self) -> usize {
        self.state.guard.as_ref().map_or(0, Quarantine::granules) as usize * GRANULE_BYTES
    }

    /// Whether the used extent at `offset` is quarantined: nobody's block.
    pub(super) fn is_quarantined(&self, offset: u32) -> bool {
        let Some(guard) = self.state.guard.as_ref().filter(|guard| guard.granules() > 0) else { return false };
        self.state.index.len_of(offset).is_ok_and(|len| guard.is_marked(Extent::new(offset, len)))
    }

    /// Makes a live extent of `own`'s quarantined, if it can be; else gives it back. `after` says whether others may
    /// have to leave first.
    fn begin_quarantine(&mut self, own: &Budget, extent: Extent, after: bool) -> Result<Entering, FreeError> {
        if self.len_of(extent.offset)? != extent.len {
            return Err(FreeError::WrongLayout);
        }
        match &mut self.state.guard {
            Some(guard) if guard.count + guard.moving < ENTRIES => {
                guard.enter(extent);
                own.refund(extent.len as usize * GRANULE_BYTES);
                own.relieve();
                return Ok(Entering::Hide);
            }
            Some(guard) if after => {
                if let Some(oldest) = guard.pop() {
                    return Ok(Entering::After(oldest));
                }
            }
            _ => {}
        }
        self.give_back(own, extent).map(|()| Entering::GivenBack)
    }

    /// A moving extent waits if it may be `hidden`; else it is given back.
    fn end_moving(&mut self, extent: Extent, hidden: bool) {
        let Some(guard) = &mut self.state.guard else { return };
        if hidden {
            guard.push(extent);
            return;
        }
        guard.leave(extent);
        let given_back = self.state.index.give_back(extent);
        debug_assert!(given_back.is_ok(), "nobody else may give a quarantined extent back");
        self.shared.budget.refund(extent.len as usize * GRANULE_BYTES);
        self.shared.budget.relieve();
    }

    /// The oldest begins to leave if more waits than may.
    fn begin_leaving(&mut self) -> Option<Extent> {
        let most = self.shared.budget.limit().min(self.shared.capacity) / PART;
        let guard = self.state.guard.as_mut()?;
        let over = guard.count > 1 && guard.waiting as usize * GRANULE_BYTES > most;
        if over { guard.pop() } else { None }
    }

    /// What the quarantine can do for a request that the region would refuse: its oldest extent leaves, or one moves
    /// already. `stuck` extents could not be shown.
    pub(super) fn make_way<T>(&mut self, stuck: usize) -> Option<Step<T>> {
        let guard = self.state.guard.as_mut()?;
        // Those that could not be shown are the newest now.
        if guard.count > stuck
            && let Some(oldest) = guard.pop()
        {
            return Some(Step::Leaves(oldest));
        }
        (guard.moving > 0).then_some(Step::Wait)
    }
}

impl Region {
    /// Granules of a page, if the region is in guard mode.
    pub(crate) fn guard_page(&self) -> Option<u32> {
        self.shared.guard_page
    }

    /// Whether `extent`, given back as a whole, becomes unreadable.
    pub(crate) fn guards(&self, extent: Extent) -> bool {
        self.shared.guard_page.is_some_and(|page| first_page(extent, page).is_some())
    }

    /// Gives a whole extent of `own`'s back, which its holder uses no more: through the quarantine in guard mode. A
    /// section or two, and a system call or two outside them.
    pub(crate) fn give_back_whole(&self, own: &Budget, extent: Extent) -> Result<(), FreeError> {
        if !self.guards(extent) {
            return self.section(|section| section.give_back(own, extent));
        }
        shielded(|| self.give_back_hidden(own, extent))
    }

    /// As [`Region::give_back_whole`], through the quarantine. Others wait for what moves, so it is shielded.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough over its lifetime")]
    fn give_back_hidden(&self, own: &Budget, extent: Extent) -> Result<(), FreeError> {
        let mut after = true;
        loop {
            match self.section(|section| section.begin_quarantine(own, extent, after))? {
                Entering::Hide => break,
                Entering::GivenBack => return Ok(()),
                Entering::After(oldest) => after = self.let_leave(oldest),
            }
        }
        let (offset, len) = bytes(extent);
        // What is filled when it is freed keeps its filling, unless fresh pages have the same.
        let discard = self.wipe().is_none_or(|wipe| wipe == Wipe::ZERO);
        let hidden = self.shared.mapping.hide(offset, len, discard);
        self.section(|section| section.end_moving(extent, hidden));
        // Where the system cannot show one, more waits than may.
        while let Some(oldest) = self.section(|section| section.begin_leaving())
            && self.let_leave(oldest)
        {}
        Ok(())
    }

    /// Shows a moving extent and gives it back; `false` if it cannot be shown, and waits again.
    pub(super) fn let_leave(&self, extent: Extent) -> bool {
        let (offset, len) = bytes(extent);
        let shown = self.shared.mapping.show(offset, len);
        self.section(|section| section.end_moving(extent, !shown));
        shown
    }

    /// Gives back what waits in the quarantine of [guard mode](super::RegionBuilder::guard_mode), which is readable
    /// from then on, and can be handed out again; gives the bytes. Takes the lock twice an extent, with a system call
    /// between.
    ///
    /// Nobody need call it to be served: the quarantine gives way before a request is refused. Without it, what waits
    /// counts as usage after everything was freed. Does nothing on a region that is not in guard mode.
    ///
    /// ```
    /// use sharded_arena::{Heap, Region};
    /// let region = Region::builder().capacity(1 << 20).guard_mode(true).build()?;
    /// let heap = Heap::in_region(&region);
    /// let layout = std::alloc::Layout::new::<[u8; 100_000]>();
    /// let block = heap.alloc(layout)?;
    /// // SAFETY: the block is live, and this is its layout.
    /// unsafe { heap.free(block.cast(), layout) };
    /// assert_eq!(heap.memory_usage(), 0);
    /// assert_eq!(region.memory_usage(), region.stats().quarantined);
    /// region.flush_quarantine();
    /// assert_eq!(region.memory_usage(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn flush_quarantine(&self) -> usize {
        // What comes in meanwhile is not waited for.
        let count = self.section(|section| section.state.guard.as_ref().map_or(0, |guard| guard.count));
        let mut returned = 0;
        for _ in 0..count {
            returned += shielded(|| {
                let oldest = self.section(|section| section.state.guard.as_mut().and_then(Quarantine::pop));
                oldest.filter(|oldest| self.let_leave(*oldest)).map_or(0, |oldest| bytes(oldest).1)
            });
        }
        returned
    }
}

/// Offset and length of `extent` in bytes.
fn bytes(extent: Extent) -> (usize, usize) {
    (extent.offset as usize * GRANULE_BYTES, extent.len as usize * GRANULE_BYTES)
}
