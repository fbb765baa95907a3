//! Used extents that change their length in place: an end split off, granules taken from a free neighbour.
//!
//! Each is a division and a give-back, or a take at an edge and a join, so INV-best_fit-1 to INV-best_fit-4 are kept as
//! there.

use super::BestFit;
use crate::base::error::FreeError;
use crate::base::extent::Extent;

impl BestFit {
    /// Gives back what lies after the first `keep` granules of a used extent; `keep` is neither 0 nor above its length.
    pub(crate) fn split(&mut self, extent: Extent, keep: u32) -> Result<(), FreeError> {
        self.check(extent)?;
        if keep == 0 || keep > extent.len {
            return Err(FreeError::WrongLayout);
        }
        if keep < extent.len {
            let at = extent.offset + keep;
            self.divide(at);
            self.release(extent.from(at));
        }
        Ok(())
    }

    /// Gives back the first `cut` granules of a used extent, fewer than it has; it then begins that much later.
    pub(crate) fn cut_front(&mut self, extent: Extent, cut: u32) -> Result<(), FreeError> {
        self.check(extent)?;
        if cut >= extent.len {
            return Err(FreeError::WrongLayout);
        }
        if cut > 0 {
            self.divide(extent.offset + cut);
            self.release(Extent::new(extent.offset, cut));
        }
        Ok(())
    }

    /// Lengthens a used extent by `more` granules of its free right neighbour; `false` when that has fewer.
    pub(crate) fn extend(&mut self, extent: Extent, more: u32) -> Result<bool, FreeError> {
        self.check(extent)?;
        let (end, room) = (extent.end(), self.free_right(extent));
        if more != 0 && more <= room {
            self.carve_at(Extent::new(end, room), Extent::new(end, more));
            self.lines.clear_start(end);
        }
        Ok(more <= room)
    }

    /// Lengthens a used extent by `more` granules from the tail of its free left neighbour; `false` when that has
    /// fewer. The extent then begins `more` granules lower.
    pub(crate) fn extend_left(&mut self, extent: Extent, more: u32) -> Result<bool, FreeError> {
        self.check(extent)?;
        let (offset, room) = (extent.offset, self.free_left(extent.offset));
        if more != 0 && more <= room {
            self.carve_at(Extent::new(offset - room, room), Extent::new(offset - more, more));
            self.lines.clear_start(offset);
        }
        Ok(more <= room)
    }

    /// Returns the free granules that end before `offset`, where an extent begins.
    pub(crate) fn free_left(&self, offset: u32) -> u32 {
        if self.lines.is_free_before(offset) { offset - self.lines.prev_start(offset) } else { 0 }
    }

    /// Returns the free granules after a used extent.
    pub(crate) fn free_right(&self, extent: Extent) -> u32 {
        let end = extent.end();
        if self.lines.is_free(end) { self.lines.next_start(end) - end } else { 0 }
    }
}
