//! `RegionReservation`: bytes charged ahead, drawn down by later requests that name it.

use crate::base::error::AllocError;

use super::request::{Asked, Step};
use super::{Blocker, Idle, Region, Section};

/// Bytes of a region's limit that nobody else can have; what is left of them returns when the reservation is dropped.
///
/// It is a promise of the limit, not of one address: see [`Heap::alloc_reserved`](crate::Heap::alloc_reserved).
#[derive(Debug)]
pub struct RegionReservation {
    pub(crate) region: Region,
    bytes: usize,
}

impl Section<'_> {
    /// Charges `bytes`, and is done; or gives back something idle, one magazine or block, to be asked again; or says
    /// what to do before that; or refuses.
    fn reserve(&mut self, bytes: usize, asked: &mut Asked) -> Step<Result<(), AllocError>> {
        let budget = &self.shared.budget;
        if bytes <= budget.real_room() {
            budget.charge(bytes);
            self.state.reserved += bytes;
            return Step::Done(Ok(()));
        }
        let may_give = !self.is_hopeless_in_region(bytes) && !asked.effort.is_spent(self.idle(budget));
        if may_give && let Some(step) = self.make_way(asked.stuck) {
            return step;
        }
        // Pressure begins before the first magazine is given back.
        self.shared.budget.refused(asked.effort.length(bytes));
        if may_give && self.give_back_idle(None, true, &mut Idle(Some(0), |_: &mut Section<'_>| false), asked) {
            return Step::Again;
        }
        let refusal = Err(self.error(None, Blocker::Region, bytes, 1));
        if may_give && asked.has_no_owner() { Step::Shardless(refusal) } else { Step::Done(refusal) }
    }
}

impl Region {
    /// Charges `bytes` now, so that later requests that name the reservation cannot meet the region's limit (a heap's
    /// own limit holds all the same, and what is drawn is rounded up to 16 bytes). Takes the lock;
    /// before it refuses, what lies idle in depots, quarantines and with ended threads was given back.
    ///
    /// # Errors
    /// `LimitReached` if they do not fit under the limit, or into the region.
    pub fn reserve(&self, bytes: usize) -> Result<RegionReservation, AllocError> {
        self.ask(&mut Asked::default(), |section, asked| section.reserve(bytes, asked))?;
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
    pub(crate) fn draw(&mut self, bytes: usize) {
        self.bytes -= bytes.min(self.bytes);
    }
}

impl Drop for RegionReservation {
    fn drop(&mut self) {
        self.region.section(|section| {
            section.shared.budget.refund(self.bytes);
            section.shared.budget.relieve();
            section.state.reserved -= self.bytes;
        });
    }
}
