//! Used extents that change their length in place: the tail split off, granules taken from a free neighbour.
//!
//! Each is one give-back or one take at an edge that is given, so INV-F1 to INV-F4 are kept as there.

use super::BestFit;
use crate::base::error::FreeError;
use crate::base::extent::Extent;

impl BestFit {
    /// Gives back what lies behind the first `keep` granules of a used extent; `keep` is neither 0 nor above its length.
    pub(crate) fn split(&mut self, extent: Extent, keep: u32) -> Result<(), FreeError> {
        self.check(extent)?;
        if keep == 0 || keep > extent.len {
            return Err(FreeError::WrongLayout);
        }
        if keep < extent.len {
            let at = extent.offset + keep;
            self.lines.set_start(at);
            self.lowest = self.lowest.min(at);
            self.used_extents += 1;
            self.release(Extent::new(at, extent.len - keep));
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
            let at = extent.offset + cut;
            self.lines.set_start(at);
            self.lowest = self.lowest.min(at);
            self.used_extents += 1;
            self.release(Extent::new(extent.offset, cut));
        }
        Ok(())
    }

    /// Lengthens a used extent by `more` granules of its free right neighbour; `false` when that has fewer.
    pub(crate) fn extend(&mut self, extent: Extent, more: u32) -> Result<bool, FreeError> {
        self.check(extent)?;
        let end = extent.end();
        let right = Extent::new(end, self.free_right(extent));
        if right.len < more || more == 0 {
            return Ok(more == 0);
        }
        let rest = Extent::new(end + more, right.len - more);
        self.lines.clear_start(end);
        self.lines.clear_free(end);
        if rest.len == 0 {
            self.lines.clear_free(rest.offset - 1);
            self.index.remove(right);
            self.free_extents -= 1;
        } else {
            self.lines.set_start(rest.offset);
            self.lines.set_free(rest.offset);
            self.index.shift(right, rest);
        }
        self.used += more;
        Ok(true)
    }

    /// Lengthens a used extent by `more` granules from the tail of its free left neighbour; `false` when that has fewer.
    /// The extent then begins `more` granules lower.
    pub(crate) fn extend_left(&mut self, extent: Extent, more: u32) -> Result<bool, FreeError> {
        self.check(extent)?;
        let offset = extent.offset;
        let len = self.free_left(offset);
        if len < more || more == 0 {
            return Ok(more == 0);
        }
        let left = Extent::new(offset - len, len);
        let at = offset - more;
        self.lines.clear_start(offset);
        self.lines.clear_free(offset - 1);
        if len == more {
            self.lines.clear_free(at);
            self.index.remove(left);
            self.free_extents -= 1;
        } else {
            self.lines.set_start(at);
            self.lines.set_free(at - 1);
            self.lowest = self.lowest.min(at);
            self.index.resize(left, len - more);
        }
        self.used += more;
        Ok(true)
    }

    /// Free granules that end before `offset`, where an extent begins.
    pub(crate) fn free_left(&self, offset: u32) -> u32 {
        if self.lines.is_free_before(offset) { offset - self.lines.prev_start(offset) } else { 0 }
    }

    /// Free granules behind a used extent.
    pub(crate) fn free_right(&self, extent: Extent) -> u32 {
        let end = extent.end();
        if self.lines.is_free(end) { self.lines.next_start(end) - end } else { 0 }
    }
}
