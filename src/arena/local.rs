//! `Local`: a thread's handle of an arena that skips the look-up.
//!
//! It refers to its thread's shard and never copies the cursor, so nested ones share it; it pins the shard, so it may be
//! used even while its thread's destructors run. Leaked, it costs that one shard until the arena is reset.

use core::fmt;
use core::marker::PhantomData;

use super::Arena;
use super::at::At;

/// A handle of an arena for one thread, without the look-up of its shard; see [`Arena::local`]. What it hands out lives as
/// long as the arena's borrow, not as the handle: it outlives the thread.
///
/// ```
/// use sharded_arena::Arena;
/// let arena = Arena::new();
/// let names: Vec<&str> = std::thread::scope(|scope| {
///     let build = |part: usize| {
///         let local = arena.local();
///         (0..3).map(|n| &*local.alloc_fmt(format_args!("{part}.{n}"))).collect::<Vec<&str>>()
///     };
///     let threads: Vec<_> = (0..2).map(|part| scope.spawn(move || build(part))).collect();
///     threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
/// });
/// assert_eq!(names, ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"]); // the threads are gone
/// ```
pub struct Local<'a> {
    at: At<'a>,
    /// Neither Send nor Sync: the shard is this thread's.
    thread: PhantomData<*const ()>,
}

impl fmt::Debug for Local<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("has_shard", &!self.at.shard.is_none()).finish_non_exhaustive()
    }
}

impl<'a> Local<'a> {
    pub(super) fn new(arena: &'a Arena) -> Self {
        Self::on(arena.blocks())
    }

    /// A handle through a shard that is the calling thread's or none's.
    pub(super) fn on(at: At<'a>) -> Self {
        if !at.shard.is_none() {
            at.shard.pins.pin();
        }
        Self { at, thread: PhantomData }
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> At<'a> {
        self.at
    }
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        if !self.at.shard.is_none() {
            self.at.shard.pins.unpin();
        }
    }
}
