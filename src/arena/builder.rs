//! `ArenaBuilder` and `ScratchBuilder`: the options of an arena, and of one thread's.

use crate::base::error::RegionError;
use crate::region::{Home, home_setters};
use crate::sync::Arc;

use super::inner::{Inner, Options};
use super::{Arena, Scratch};

/// Options of an arena; see [`Arena::builder`].
///
/// ```
/// use sharded_arena::{Arena, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let arena = Arena::builder().region(&region).limit(64 << 10).first_chunk_bytes(1 << 10).build()?;
/// assert_eq!(arena.limit(), 64 << 10);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ArenaBuilder {
    home: Home,
    options: Options,
}

/// Options of a scratch stack; see [`Scratch::builder`].
///
/// ```
/// use sharded_arena::{Region, Scratch};
/// let region = Region::with_capacity(1 << 20)?;
/// let scratch = Scratch::builder().region(&region).limit(64 << 10).max_chunk_bytes(16 << 10).build()?;
/// assert_eq!(scratch.limit(), 64 << 10);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ScratchBuilder {
    home: Home,
    options: Options,
}

/// The setters that arenas and scratch stacks have in common.
macro_rules! chunk_setters {
    ($builder:ident) => {
        home_setters! {
            [] $builder,
            /// Sets the bytes of a region of its own, 4 KiB to 64 GiB − 4 KiB. Ignored if a [`region`](Self::region) is
            /// set.
            capacity(bytes)
        }

        impl $builder {
            /// Sets the bytes of a thread's first chunk, which are the least of a later one: 4 KiB unless set. A chunk
            /// is never longer than what its thread may hold idle.
            #[doc(alias = "first_chunk")]
            pub fn first_chunk_bytes(mut self, bytes: usize) -> Self {
                self.options.first_chunk = bytes;
                self
            }

            /// Sets the bytes of the longest chunk: 1 MiB unless set, and at least the first.
            #[doc(alias = "max_chunk")]
            pub fn max_chunk_bytes(mut self, bytes: usize) -> Self {
                self.options.most_chunk = bytes;
                self
            }
        }
    };
}

chunk_setters! { ArenaBuilder }
chunk_setters! { ScratchBuilder }

impl ArenaBuilder {
    /// The former name of [`first_chunk_bytes`](Self::first_chunk_bytes).
    #[deprecated(since = "0.1.0", note = "renamed to `first_chunk_bytes`")]
    pub fn first_chunk(self, bytes: usize) -> Self {
        self.first_chunk_bytes(bytes)
    }

    /// The former name of [`max_chunk_bytes`](Self::max_chunk_bytes).
    #[deprecated(since = "0.1.0", note = "renamed to `max_chunk_bytes`")]
    pub fn max_chunk(self, bytes: usize) -> Self {
        self.max_chunk_bytes(bytes)
    }

    /// Sets how many threads may have a chunk of their own at the same time, at least one; those beyond share one. The
    /// lesser of four times the processors and one for 64 KiB of capacity unless set.
    pub fn max_shards(mut self, threads: usize) -> Self {
        self.options.shards = Some(threads.max(1));
        self
    }

    /// Makes the arena. Its shards are made at its first use.
    ///
    /// # Errors
    /// As [`Region::with_capacity`](crate::Region::with_capacity) for a region of its own.
    pub fn build(self) -> Result<Arena, RegionError> {
        let limit = self.home.limit;
        Ok(Arena::with_options(self.home.open()?, limit, self.options))
    }
}

impl ScratchBuilder {
    /// Makes the scratch stack.
    ///
    /// # Errors
    /// As [`Region::with_capacity`](crate::Region::with_capacity) for a region of its own.
    pub fn build(self) -> Result<Scratch, RegionError> {
        let limit = self.home.limit;
        Ok(Scratch::on(Arc::new(Inner::new(self.home.open()?, limit, self.options))))
    }
}
