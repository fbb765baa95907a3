//! The proof that bits, nodes, rings, chains and figures agree.

use super::BestFit;
use super::index::FreeIndex;
use crate::base::error::VerifyError;
use crate::base::extent::Extent;

/// Returns an error unless the two figures agree.
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
    free_extents: u32,
    free_bits: u32,
    after_free: bool,
}

impl BestFit {
    /// Proves every invariant of the index; the error's offset is a granule. Time in proportion to the range.
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
        same("free extents", 0, tally.free_extents, self.free_extents)?;
        same("free bits", 0, tally.free_bits, self.lines.free_bits())?;
        same("the summary of the lines", 0, 1, self.lines.summary_is_consistent().into())?;
        self.check_index()
    }

    /// INV-best_fit-1, INV-best_fit-4 and INV-best_fit.lines-2 of one extent.
    fn check_extent(&self, extent: Extent, used: bool, tally: &mut Tally) -> Result<(), VerifyError> {
        let Extent { offset, len } = extent;
        let between = self.low < offset && offset < self.high;
        same("an extent begins where none ever did", offset, 0, between.into())?;
        same(
            "the ends of an extent differ in use",
            offset,
            (!used).into(),
            self.lines.is_free(extent.end() - 1).into(),
        )?;
        same("two free extents are neighbours", offset, 0, (tally.after_free && !used).into())?;
        if used {
            tally.used += len;
            tally.used_extents += 1;
        } else {
            tally.free_extents += 1;
            tally.free_bits += len.min(2);
        }
        tally.after_free = !used;
        Ok(())
    }

    /// INV-best_fit-2, INV-best_fit.index-1, INV-best_fit.bins-1 to INV-best_fit.bins-5, INV-best_fit.long-1 to
    /// INV-best_fit.long-3: the index holds what the bits say and nothing else.
    ///
    /// It holds as many extents as there are, each of them one that is free, and none twice: so all of them.
    fn check_index(&self) -> Result<(), VerifyError> {
        let FreeIndex { bins, long } = &self.index;
        let is_free = |extent: Extent| self.around(extent.offset) == Some((extent, false));
        // First the trie, because the walk through the bins ends with a search in it.
        let Some(long) = long.count(&is_free) else { return same("the order of the long extents", 0, 1, 0) };
        let mut binned = 0;
        let every = core::iter::successors(self.index.least(1), |found| self.index.next(*found));
        for found in every.take_while(|found| found.node != 0) {
            let right = bins.is_in_place(found) && is_free(found.extent);
            same("a free extent is not where the bins hold it", found.extent.offset, 1, right.into())?;
            binned += 1;
        }
        same("the chains or the map of the bins", 0, 1, bins.has_no_more_than(binned, self.lines.occupied()).into())?;
        same("free extents in the index", 0, self.free_extents, binned + long)
    }
}
