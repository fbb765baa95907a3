//! `RegionReservation`: bytes charged ahead, drawn down by later requests that name it.

use crate::error::AllocError;

use super::{Blocker, Region};

/// Bytes of a region's limit that nobody else can have; what is left of them returns when the reservation is dropped.
///
/// It is a promise of the limit, not of one address: see [`Heap::alloc_reserved`](crate::Heap::alloc_reserved).
#[derive(Debug)]
pub struct RegionReservation {
    pub(crate) region: Region,
    bytes: usize,
}

impl Region {
    /// Charges `bytes` now, so that later requests that name the reservation cannot meet the limit. Takes the lock.
    ///
    /// # Errors
    /// `LimitReached` if they do not fit under the limit.
    pub fn reserve(&self, bytes: usize) -> Result<RegionReservation, AllocError> {
        self.section(|section| {
            let budget = &section.shared.budget;
            if bytes > budget.room() {
                return Err(section.error(budget, Blocker::Region, bytes, 1));
            }
            budget.charge(bytes);
            section.state.reserved += bytes;
            Ok(())
        })?;
        Ok(RegionReservation { region: self.clone(), bytes })
    }
}

impl RegionReservation {
    /// Bytes not yet drawn.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes
    }

    /// `bytes` of it, or all that is left, were drawn inside a section.
    pub(crate) fn drew(&mut self, bytes: usize) {
        self.bytes -= bytes.min(self.bytes);
    }
}

impl Drop for RegionReservation {
    fn drop(&mut self) {
        self.region.section(|section| {
            section.shared.budget.refund(self.bytes);
            section.state.reserved -= self.bytes;
        });
    }
}
