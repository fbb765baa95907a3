//! `Scratch`: one thread's arena, freed in stages.
//!
//! Three ways to free a part, and none can free what somebody still refers to: `scope`, whose results cannot leave it;
//! `rewind` to a checkpoint, which needs `&mut`, so no result is left; `stage`, which keeps what it returns or undoes
//! everything. `stack.rs` is the memory, `scope.rs` the handle inside a scope, `checkpoint.rs` tells which checkpoints
//! still hold.

use crate::base::debug::debug_figures;
use crate::base::error::{RegionError, RewindError};
use crate::bump::blocks::Blocks;
use crate::region::{Region, client_limits};
use crate::sync::Arc;

use super::ScratchBuilder;
use super::inner::{Inner, Options};

mod checkpoint;
mod rewind;
mod scope;
mod stack;

pub use checkpoint::Checkpoint;
use checkpoint::Timeline;
pub use scope::Scope;
use stack::Stack;

/// One thread's arena, freed in stages; see [`Arena::scratch`](super::Arena::scratch) for one that is lent. `Send`, not
/// `Sync`. No lock while its chunk has room; values are not dropped.
///
/// The limit and the region of a stack that an arena lends are the arena's; its usage is its own. It has no statistics
/// beyond [`memory_usage`](Self::memory_usage) and the like, and nothing of its own to verify: see
/// [`Region::verify`].
///
/// ```
/// use sharded_arena::Scratch;
///
/// let mut scratch = Scratch::new();
/// let kept = scratch.checkpoint();
/// let total: u64 = scratch.scope(|scope| {
///     let squares = scope.alloc_slice_fill_with(1_000, |n| (n * n) as u64);
///     squares.iter().sum() // the squares are gone with the scope
/// });
/// assert_eq!((total, scratch.live_bytes()), (332_833_500, 0));
///
/// let parsed: Result<&mut [u8], &str> = scratch.stage(|stage| match stage.alloc_slice_copy(b"odd") {
///     bytes if bytes.len() % 2 == 0 => Ok(bytes),
///     _ => Err("odd"), // nothing of the stage is left
/// });
/// assert_eq!(parsed.unwrap_err(), "odd");
///
/// scratch.alloc(7u64);
/// scratch.rewind(kept)?;
/// assert_eq!(scratch.live_bytes(), 0);
/// # Ok::<(), sharded_arena::RewindError>(())
/// ```
pub struct Scratch {
    stack: Stack,
    timeline: Timeline,
}

debug_figures! { [] Scratch: limit, memory_usage }
// Of a stack that an arena has lent: the arena's.
client_limits! { [] Scratch: |scratch| scratch.stack.inner.first_use() }

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// A scratch stack that only its region's capacity bounds, which is made at its first use, as long as
    /// [`Arena::new`](super::Arena::new) says.
    #[must_use]
    pub fn new() -> Scratch {
        Self::in_home(None)
    }

    /// A scratch stack that shares `region` and its limit.
    #[must_use]
    pub fn in_region(region: &Region) -> Scratch {
        Self::in_home(Some(region.clone()))
    }

    /// A scratch stack with a region of its own, whose capacity and limit is `bytes`.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<Scratch, RegionError> {
        Region::with_capacity(bytes).map(|region| Self::in_region(&region))
    }

    /// A scratch stack with options.
    pub fn builder() -> ScratchBuilder {
        ScratchBuilder::default()
    }

    fn in_home(region: Option<Region>) -> Scratch {
        Self::on(Arc::new(Inner::new(region, usize::MAX, Options::default())))
    }

    /// A stack whose memory is charged to the arena of `inner`.
    pub(super) fn on(inner: Arc<Inner>) -> Self {
        Self { stack: Stack::new(inner), timeline: Timeline::new() }
    }

    pub(super) fn is_of(&self, inner: &Arc<Inner>) -> bool {
        self.stack.is_of(inner)
    }

    /// Runs `f` with a scope and frees all that was allocated in it, if it panics too. Results of the scope cannot
    /// leave it; what was allocated before keeps its memory.
    ///
    /// As it borrows the stack exclusively, references that the stack handed out before end here. Those of a scope stay
    /// usable across a [`Scope::scope`] inside it.
    ///
    /// No lock, unless the scope took a chunk or a large block.
    #[doc(alias = "scoped")]
    pub fn scope<'e, R>(&mut self, f: impl for<'s> FnOnce(&mut Scope<'s, &'e ()>) -> R) -> R {
        scope::scope(&self.stack, f)
    }

    /// Runs `f` with a scope; keeps what was allocated in it if it gives `Ok`, frees it if it gives `Err` or panics.
    /// References that the stack handed out before end here, as with [`scope`](Self::scope).
    ///
    /// # Errors
    /// Those of `f`.
    pub fn stage<'x, 'e: 'x, T: ?Sized, E>(
        &'x mut self,
        f: impl for<'s> FnOnce(&mut Scope<'s, &'e ()>) -> Result<&'s mut T, E>,
    ) -> Result<&'x mut T, E> {
        scope::stage(&self.stack, f)
    }

    /// Returns the place to which [`rewind`](Self::rewind) goes back. Takes no memory.
    ///
    /// The stack remembers which checkpoints rewinds have undone: 16 bytes for each rewind that leaves later ones
    /// behind, until a rewind to an earlier one or a reset, and 1 MiB at most. After 1,024 such rewinds a checkpoint at
    /// the place of the one before it is the same checkpoint. After 65,536, those taken between the newer half of the
    /// rewinds are called `OutOfOrder`; older ones, and those taken since, still hold.
    #[doc(alias = "mark")]
    pub fn checkpoint(&self) -> Checkpoint {
        self.timeline.checkpoint(self.stack.mark(true))
    }

    /// Frees all that was allocated since `to`, which stays valid; later checkpoints do not.
    ///
    /// As it borrows the stack exclusively, every reference that the stack handed out ends here, also one from before
    /// `to`, though its memory stays. To go back while such references live, allocate in a [`scope`](Self::scope), and
    /// what may be undone in a [`Scope::scope`] or [`Scope::stage`] inside it.
    ///
    /// # Errors
    /// `Foreign` for a checkpoint of another scratch stack, `Stale` for one from before a reset, `OutOfOrder` for one
    /// that an earlier rewind has undone. Nothing was changed.
    pub fn rewind(&mut self, to: Checkpoint) -> Result<(), RewindError> {
        let mark = self.timeline.go_back(to)?;
        self.stack.rewind(mark);
        Ok(())
    }

    /// Frees everything at once, but keeps the chunk used last for the next round, unless freed memory is wiped or
    /// hidden. All checkpoints become stale.
    pub fn reset(&mut self) {
        self.timeline.reset();
        self.stack.rewind(Stack::bottom());
    }

    /// Gives back what is idle if there is pressure.
    pub(super) fn release_idle(&mut self) {
        self.stack.release_idle(false);
    }

    /// Bytes taken from the region.
    #[doc(alias = "allocated_bytes")]
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.stack.held()
    }

    /// Greatest [`memory_usage`](Self::memory_usage) of this stack so far; of one that an arena lends, since its first
    /// loan. One load.
    #[must_use]
    pub fn peak_memory_usage(&self) -> usize {
        self.stack.peak()
    }

    /// Bytes in blocks, as they were asked for. A block that was given up after a checkpoint was taken behind it may
    /// count until the reset.
    #[cfg(feature = "stats")]
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        usize::try_from(self.stack.live()).unwrap_or(usize::MAX)
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> impl Blocks {
        &self.stack
    }
}
