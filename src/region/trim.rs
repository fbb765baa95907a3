//! Returning memory to the operating system.
//!
//! A turn takes free extents out of the index under the lock, as *trimming*: neither charged nor free, so nobody can be
//! given memory whose pages are just going. The system call runs outside the lock, then the extents return. A request
//! that would be refused meanwhile waits for the end of the turn, and so does another trim. To the index a trimming
//! extent is a used one: whatever names a live block by its offset is told that none is there. No extent begins inside
//! it, so the index's pages for it go with its own; the nodes for short free extents are packed afterwards, and the
//! pages beyond them go.

use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::sync::{shielded, yield_now};

use super::{Region, Section};

/// Free extents shorter than this are left alone.
const LEAST_BYTES: usize = if cfg!(all(test, loom)) { 1024 } else { 64 * 1024 };
/// Bytes out of the index at a time.
const TURN_GRANULES: u32 = 32 << 20 >> GRANULE_BYTES.ilog2();
/// Extents looked at under one hold of the lock.
const LOOK: usize = 256;
/// Entries of the index looked at or moved under one hold of the lock.
const PACKED: usize = 60;

impl Section<'_> {
    /// From granule `from` on, takes the next free extent of at least 64 KiB out of the index, or says where to go on.
    fn begin_trim(&mut self, from: u32) -> TrimStep {
        if self.state.trimming.is_some() {
            return TrimStep::Wait;
        }
        let mut at = from;
        for _ in 0..LOOK {
            match self.state.index.around(at).map(|(extent, used)| (extent.from(at), used)) {
                None => return TrimStep::End,
                Some((extent, false)) if extent.len as usize * GRANULE_BYTES >= LEAST_BYTES => {
                    let len = extent.len.min(TURN_GRANULES);
                    let turn = Extent::new(extent.offset, len);
                    if self.state.index.take_at(turn) {
                        self.state.trimming = Some(turn);
                        return TrimStep::Turn(turn);
                    }
                    at = extent.end();
                }
                Some((extent, _)) => at = extent.end(),
            }
        }
        TrimStep::Look(at)
    }

    fn end_trim(&mut self, turn: Extent) {
        self.state.trimming = None;
        let given_back = self.state.index.give_back(turn);
        debug_assert!(given_back.is_ok(), "nobody else may give this extent back");
    }
}

enum TrimStep {
    Turn(Extent),
    Look(u32),
    /// Another trim has its turn.
    Wait,
    End,
}

impl Region {
    /// Returns free memory to the operating system, in address order, except for the first `keep_bytes` of it. Returns
    /// the bytes that were resident and are no longer; pages that were never touched do not count.
    ///
    /// The index's memory for what is free goes too, but is not counted here; see
    /// [`RegionStats::index_bytes`](crate::RegionStats::index_bytes). Only free ranges of at least 64 KiB are looked
    /// at. Takes the lock for a moment per 32 MiB, and per 60 entries of the index that are moved together; the system
    /// calls run outside it. Memory of the caller's, or locked in memory, stays. The addresses stay reserved; their
    /// pages are zero when next touched.
    ///
    /// ```
    /// use sharded_arena::{Heap, Region};
    /// let region = Region::builder().capacity(64 << 20).huge_pages(false).build()?;
    /// assert_eq!(region.trim(0), 0, "nothing was touched");
    /// let heap = Heap::in_region(&region);
    /// let layout = std::alloc::Layout::new::<[u8; 1 << 20]>();
    /// let block = heap.alloc_zeroed(layout)?;
    /// // SAFETY: the block is live, and this is its layout.
    /// unsafe { heap.free(block.cast(), layout) };
    /// # if cfg!(all(target_os = "linux", not(miri))) {
    /// assert_eq!(region.trim(0), 1 << 20);
    /// # }
    /// assert_eq!(region.trim(0), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn trim(&self, keep_bytes: usize) -> usize {
        let returned = self.trim_with(keep_bytes, |offset, len| {
            self.shared.tables.discard_inside(offset / GRANULE_BYTES, (offset + len) / GRANULE_BYTES);
            self.shared.mapping.trim(offset, len)
        });
        self.trim_index();
        returned
    }

    /// Packs the index's nodes, and returns the memory of those beyond.
    fn trim_index(&self) {
        if self.section(|section| section.state.index.begin_pack()) {
            while !self.section(|section| section.state.index.pack(PACKED)) {}
        }
        // A forked child finds none of them on their way.
        while shielded(|| self.discard_nodes()) {}
    }

    /// Returns the memory of some nodes beyond those in use; `false` if there are none.
    fn discard_nodes(&self) -> bool {
        let Some(nodes) = self.section(|section| section.state.index.begin_discard()) else { return false };
        self.shared.tables.discard_nodes(nodes);
        self.section(|section| section.state.index.end_discard());
        true
    }

    /// Calls `discard` outside the lock with offset and length of every range to be returned; gives the sum of what it
    /// says.
    pub(crate) fn trim_with(&self, keep_bytes: usize, mut discard: impl FnMut(usize, usize) -> usize) -> usize {
        let (mut at, mut keep, mut returned) = (0, keep_bytes, 0);
        loop {
            // Others wait for the end of a turn.
            let step = shielded(|| match self.section(|section| section.begin_trim(at)) {
                TrimStep::Turn(turn) => {
                    let (start, len) = (turn.offset as usize * GRANULE_BYTES, turn.len as usize * GRANULE_BYTES);
                    let kept = keep.min(len);
                    keep -= kept;
                    returned += discard(start + kept, len - kept);
                    self.section(|section| section.end_trim(turn));
                    TrimStep::Look(turn.end())
                }
                step => step,
            });
            match step {
                TrimStep::End => return returned,
                TrimStep::Look(next) => at = next,
                TrimStep::Wait | TrimStep::Turn(_) => yield_now(),
            }
        }
    }
}
