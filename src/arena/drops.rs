//! Values whose destructors run when the arena is reset or dropped: `alloc_dropped`.
//!
//! A value lies in one block with the node of its list. Each shard has a list, and so have all threads without one
//! together; the last value of a list is dropped first.
//!
//! - INV-arena.drops-1: a list's word is one more than the offset of the node to be dropped first, or 0.
//! - INV-arena.drops-2: a value is on a list from its initialisation until just before its destructor runs.
//!
//! A shard's list is its user's; the other is pushed to by exchanges. Relaxed: lists are followed by who has the arena
//! exclusively, which whoever ended the last borrow has ordered.
#![expect(unsafe_code, reason = "writes and drops values in blocks")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::base::unwind::run_all;
use crate::bump::blocks::Blocks;
use crate::region::shards::OwnedShard;
use crate::sync::Relaxed;

use super::handle::At;
use super::inner::Body;
use super::shard::Shard;

/// What the list knows of a value.
#[repr(C)]
struct DropNode {
    next: u64,
    /// Drops the value of the node it is given.
    drop: unsafe fn(NonNull<DropNode>),
}

/// A value and its node, which comes first.
#[repr(C)]
struct Dropped<T> {
    node: DropNode,
    value: T,
}

/// # Safety
/// `node` begins a `Dropped<T>` whose value is nobody's any more.
unsafe fn drop_value<T>(node: NonNull<DropNode>) {
    // SAFETY: the caller's contract.
    let value = unsafe { &raw mut (*node.cast::<Dropped<T>>().as_ptr()).value };
    // SAFETY: initialised by `alloc_dropped`, aligned, dropped once (INV-arena.drops-2).
    unsafe { core::ptr::drop_in_place(value) };
}

impl At<'_> {
    /// A block for a value of type `T` and its node.
    pub(super) fn alloc_dropped<T: Send + 'static>(self, value: T) -> Result<NonNull<T>, (AllocError, T)> {
        let layout = Layout::new::<Dropped<T>>();
        let block = match self.alloc(layout) {
            Ok(block) => block.cast::<Dropped<T>>(),
            Err(error) => return Err((error, value)),
        };
        // SAFETY: a fresh block for a `Dropped<T>`.
        unsafe { block.write(Dropped { node: DropNode { next: 0, drop: drop_value::<T> }, value }) };
        if let Some(body) = self.arena.inner().made() {
            // The request may have found the thread a shard.
            body.list(self.arena.shard(), block.cast());
        }
        // SAFETY: just written.
        Ok(NonNull::from(unsafe { &mut (*block.as_ptr()).value }))
    }
}

impl Body {
    /// Puts the value of `node` on the list of `shard`'s user.
    fn list(&self, shard: &Shard, mut node: NonNull<DropNode>) {
        let bits = self.memory.offset_at(node.addr().get()) as u64 + 1;
        // SAFETY: a node just written, which nobody else has.
        let next = unsafe { &mut node.as_mut().next };
        if !shard.is_none() {
            *next = shard.drops.get();
            shard.drops.set(bits);
            return;
        }
        let word = &self.outside.drops;
        *next = word.load(Relaxed);
        while let Err(seen) = word.compare_exchange_weak(*next, bits, Relaxed, Relaxed) {
            *next = seen;
        }
    }

    /// Takes the node that `bits` names off its list; gives it and what comes after it.
    #[expect(clippy::cast_possible_truncation, reason = "an offset in the region")]
    fn node(&self, bits: u64) -> Option<(NonNull<DropNode>, u64)> {
        let node = self.memory.byte(bits.checked_sub(1)? as usize).cast::<DropNode>();
        // SAFETY: a node that is on a list is initialised (INV-arena.drops-1), and its block stands until the reset.
        let next = unsafe { node.as_ref() }.next;
        Some((node, next))
    }

    /// Takes the value to be dropped first off the list of `shard`.
    fn pop_own(&self, shard: &Shard) -> Option<NonNull<DropNode>> {
        let (node, next) = self.node(shard.drops.get())?;
        shard.drops.set(next);
        Some(node)
    }

    /// As [`Body::pop_own`], of the threads without a shard.
    fn pop_outside(&self) -> Option<NonNull<DropNode>> {
        let (node, next) = self.node(self.outside.drops.load(Relaxed))?;
        self.outside.drops.store(next, Relaxed);
        Some(node)
    }

    /// Runs the destructors of all values on the lists. Whoever has the arena exclusively. Those that panic do not keep
    /// the others from running; the first panic goes on when all have run.
    pub(super) fn drop_values(&self) {
        let own = self.shards.iter().flat_map(|shard| core::iter::from_fn(|| self.pop_own(shard)));
        run_all(own.chain(core::iter::from_fn(|| self.pop_outside())), |node| {
            // SAFETY: a node of `alloc_dropped`, so `drop` is that of its value; it is on no list any more
            // (INV-arena.drops-2), and the arena is the caller's alone, so no borrow of the value is left.
            let drop_value = unsafe { node.as_ref() }.drop;
            // SAFETY: as above.
            unsafe { drop_value(node) };
        });
    }
}
