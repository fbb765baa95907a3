//! Which checkpoints still hold.
//!
//! A checkpoint has the stack's id, the number of resets before it, and a number of its own, counted up. A rewind
//! undoes the numbers above its checkpoint's; those given out later hold again.
//!
//! - INV-scratch.checkpoint-1: `undone` are disjoint, ascending ranges of numbers; a number is in one of them if a
//!   rewind has undone it since the last reset. The greatest number in none of them is `last`'s, if that is known.
//! - INV-scratch.checkpoint-2: `undone` has at most [`MOST_RANGES`] ranges.
//!
//! A rewind whose checkpoint was the last one adds no range, so a loop that goes back to where it began needs no
//! memory. One that takes checkpoints and abandons them adds a range, 16 bytes, until a rewind to an earlier one, or a
//! reset. To tell all of them apart would take a bit each, without end. So from [`SHARED_FROM`] ranges on a checkpoint
//! at the place of the last one that holds is that one, and such a loop adds no more. A loop that keeps a block each
//! round adds ranges up to [`MOST_RANGES`]. Then the newer half becomes one range, and what held in it does not any
//! more. The older half stays: what a program holds for long is older than what it abandons meanwhile.

use crate::base::error::RewindError;
use crate::thread;

use super::stack::Mark;

/// Ranges from which on checkpoints of one place are one.
const SHARED_FROM: usize = 1 << 10;
/// Ranges at most: 1 MiB.
const MOST_RANGES: usize = 1 << 16;

/// A place in a [`Scratch`](super::Scratch) stack to go back to.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint {
    stack: u64,
    epoch: u64,
    number: u64,
    mark: Mark,
}

/// See the module's header.
pub(super) struct Timeline {
    id: u64,
    epoch: u64,
    /// Numbers given out since the last reset.
    given: core::cell::Cell<u64>,
    /// The last checkpoint that was given out or gone back to.
    last: core::cell::Cell<Option<(u64, Mark)>>,
    undone: Vec<core::ops::Range<u64>>,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self {
            id: thread::next_id(),
            epoch: 0,
            given: core::cell::Cell::new(0),
            last: core::cell::Cell::new(None),
            undone: Vec::new(),
        }
    }

    pub(super) fn checkpoint(&self, mark: Mark) -> Checkpoint {
        let shared = self.last.get().filter(|(_, last)| self.undone.len() >= SHARED_FROM && last.is_place_of(mark));
        let number = shared.map_or_else(|| self.given.replace(self.given.get() + 1), |(number, _)| number);
        self.last.set(Some((number, mark)));
        Checkpoint { stack: self.id, epoch: self.epoch, number, mark }
    }

    /// Undoes all checkpoints after `to`; gives its place.
    pub(super) fn go_back(&mut self, to: Checkpoint) -> Result<Mark, RewindError> {
        if to.stack != self.id {
            return Err(RewindError::Foreign);
        }
        if to.epoch != self.epoch {
            return Err(RewindError::Stale);
        }
        let after = self.undone.partition_point(|range| range.end <= to.number);
        if self.undone.get(after).is_some_and(|range| range.contains(&to.number)) {
            return Err(RewindError::OutOfOrder);
        }
        self.undone.truncate(after);
        self.last.set(Some((to.number, to.mark)));
        let (first, end) = (to.number + 1, self.given.get());
        if first < end {
            if self.undone.len() == MOST_RANGES {
                self.join_newer();
            }
            // Without memory for the range all checkpoints are called stale.
            if self.undone.try_reserve(1).is_ok() {
                self.undone.push(first..end);
            } else {
                self.reset();
            }
        }
        Ok(to.mark)
    }

    /// Makes the newer half of the ranges one.
    fn join_newer(&mut self) {
        let half = self.undone.len() / 2;
        if let Some(last) = self.undone.last() {
            self.undone[half].end = last.end;
            self.undone.truncate(half + 1);
        }
    }

    /// All checkpoints become stale.
    pub(super) fn reset(&mut self) {
        self.epoch += 1;
        self.last.set(None);
        self.given.set(0);
        self.undone.clear();
    }
}
