//! Which checkpoints still hold.
//!
//! A checkpoint has the stack's id, the number of resets before it, and a number of its own, counted up. A rewind
//! undoes the numbers above its checkpoint's; those given out later hold again.
//!
//! - INV-scratch.checkpoint-1: `undone` are disjoint, ascending ranges of numbers; a number is in one of them if a
//!   rewind has undone it since the last reset.
//!
//! A rewind whose checkpoint was the last one adds no range, so a loop that goes back to where it began needs no
//! memory. One that takes checkpoints and abandons them adds a range, 16 bytes, until a rewind to an earlier one, or a
//! reset.

use crate::base::error::RewindError;
use crate::thread;

use super::stack::Mark;

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
    undone: Vec<core::ops::Range<u64>>,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self { id: thread::next_id(), epoch: 0, given: core::cell::Cell::new(0), undone: Vec::new() }
    }

    pub(super) fn checkpoint(&self, mark: Mark) -> Checkpoint {
        let number = self.given.get();
        self.given.set(number + 1);
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
        let (first, end) = (to.number + 1, self.given.get());
        if first < end {
            // Without memory for the range all checkpoints are called stale.
            if self.undone.try_reserve(1).is_ok() {
                self.undone.push(first..end);
            } else {
                self.reset();
            }
        }
        Ok(to.mark)
    }

    /// All checkpoints become stale.
    pub(super) fn reset(&mut self) {
        self.epoch += 1;
        self.given.set(0);
        self.undone.clear();
    }
}
