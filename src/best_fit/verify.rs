//! The proof that bits, nodes, rings, chains and figures agree; and what the metadata costs.

use super::BestFit;
use super::bins::Bins;
use super::lines::LINE_GRANULES;
use crate::base::error::VerifyError;
use crate::base::extent::Extent;
use crate::memory::mapping::page_bytes;

/// An error unless the two figures agree.
fn same(what: &'static str, offset: u32, expected: u32, found: u32) -> Result<(), VerifyError> {
    if expected == found {
        return Ok(());
    }
    Err(VerifyError { what, offset: offset as usize, expected: expected as usize, found: found as usize })
}

/// What one walk over the extents finds.
#[derive(Default)]
struct Tally {
    used: u32,
    used_extents: u32,
    binned: u32,
    long: u32,
    after_free: bool,
}

impl BestFit {
    /// Proves every invariant of the index; the error's offset is a granule. Time in proportion to the extents.
    pub(crate) fn check_invariants(&self) -> Result<(), VerifyError> {
        let mut tally = Tally::default();
        let mut next = 0;
        for (extent, used) in self.walk() {
            same("an extent does not begin where the last one ends", extent.offset, next, extent.offset)?;
            next = extent.end();
            self.check_extent(extent, used, &mut tally)?;
        }
        same("the extents do not fill the range", next, self.granules, next)?;
        same("granules handed out", 0, tally.used, self.used)?;
        same("extents handed out", 0, tally.used_extents, self.used_extents)?;
        same("free extents", 0, tally.binned + tally.long, self.free_extents)?;
        self.check_index(&tally)?;
        same("the summary of the lines", 0, 1, self.lines.summary_is_consistent().into())
    }

    /// INV-F1, INV-F2, INV-F4 and the free bits of one extent.
    fn check_extent(&self, extent: Extent, used: bool, tally: &mut Tally) -> Result<(), VerifyError> {
        let Extent { offset, len } = extent;
        let below = offset != 0 && offset < self.lowest;
        same("an extent begins below the lowest", offset, 0, below.into())?;
        self.check_free_bits(extent, used)?;
        if used {
            tally.used += len;
            tally.used_extents += 1;
        } else {
            same("two free extents are neighbours", offset, 0, tally.after_free.into())?;
            let held =
                if len < Bins::BOUND { self.index.bins.holds(offset) } else { self.index.long.holds(offset, len) };
            same("a free extent is not in the index", offset, 1, held.into())?;
            *(if len < Bins::BOUND { &mut tally.binned } else { &mut tally.long }) += 1;
        }
        tally.after_free = !used;
        Ok(())
    }

    /// INV-L2 of every granule of one extent.
    fn check_free_bits(&self, extent: Extent, used: bool) -> Result<(), VerifyError> {
        let (first, last) = (extent.offset, extent.end() - 1);
        for word in first / 64..=last / 64 {
            let low = if word == first / 64 { first % 64 } else { 0 };
            let high = if word == last / 64 { last % 64 } else { 63 };
            let inside = (!0 << low) & (!0 >> (63 - high));
            let mut expected = 0;
            for edge in [first, last] {
                expected |= u64::from(!used && edge / 64 == word) << (edge % 64);
            }
            let right = self.lines.free_word(word * 64) & inside == expected;
            same("a free bit is wrong in the word of this granule", word * 64, 1, right.into())?;
        }
        Ok(())
    }

    /// INV-B1 to INV-B4, INV-G1 to INV-G3: the index holds what the bits say and nothing else.
    fn check_index(&self, tally: &Tally) -> Result<(), VerifyError> {
        let is_free_of = |offset, len| self.around(offset) == Some((Extent::new(offset, len), false));
        match self.index.bins.count(is_free_of) {
            Ok(count) => same("extents in the bins", 0, tally.binned, count)?,
            Err(node) => same("a node that does not belong in its bin", self.index.bins.offset(node), 0, node)?,
        }
        let lines = core::iter::successors(self.lines.next_occupied(0), |line| self.lines.next_occupied(line + 1));
        let Some((nodes, spare, chained)) = self.index.bins.census(lines) else {
            return same("the map of the bins", 0, 1, 0);
        };
        same("nodes in the chains of the lines", 0, tally.binned, chained)?;
        same("nodes in bins and spare nodes", 0, nodes, tally.binned + spare)?;
        match self.index.long.count() {
            Some(count) => same("long extents in the index", 0, tally.long, count),
            None => same("the order of the long extents", 0, 1, 0),
        }
    }

    /// Bytes of address space reserved for metadata.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn metadata_reserved(&self) -> usize {
        let lines = self.lines.line_bytes() + self.lines.summary_bytes();
        lines + self.index.bins.node_bytes().0 + self.index.bins.head_bytes() + self.index.long.bytes(0).0
    }

    /// Bytes of metadata that can have been touched so far: whole pages from the lowest line in use up, never less than
    /// the truth.
    pub(crate) fn metadata_touched(&self) -> usize {
        let page = page_bytes();
        let lowest_line = (self.lowest / LINE_GRANULES) as usize;
        // INV-F4: below `lowest` only the first page of a table holds anything, besides what is counted from the top.
        let above = |bytes: usize| {
            let untouched = (bytes as u64 * lowest_line as u64 / self.lines.count() as u64) as usize / page * page;
            (bytes - untouched.saturating_sub(page)).next_multiple_of(page).min(bytes)
        };
        let (nodes, nodes_touched) = self.index.bins.node_bytes();
        let (slots, slots_touched) = self.index.long.bytes(self.lowest);
        let slots_touched = (slots_touched + page).next_multiple_of(page);
        above(self.lines.line_bytes())
            + above(self.index.bins.head_bytes())
            + self.lines.summary_bytes()
            + nodes_touched.next_multiple_of(page).min(nodes)
            + slots_touched.min(slots)
    }
}
