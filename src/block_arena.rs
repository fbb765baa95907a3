//! `BlockArena`: `LevelDB`'s arena policy to the byte, over a region.
//!
//! Bytes are handed out upwards from the current block, of 4096 bytes. A request that its rest is too short for gets a
//! block of its own if it is above a quarter of a block, and the current block is kept; otherwise the rest is abandoned
//! and a new block begins. So at most a quarter of each block is lost. Nothing is freed alone.
//!
//! - INV-block_arena-1: `[cursor, cursor + remaining)` is the free end of the current block, and nobody's; `remaining`
//!   is 0 before the first one.
//! - INV-block_arena-2: `blocks` names every extent that the account took, once; its room is reserved before the take.
//! - INV-block_arena-3: `usage` is the sum of length and a pointer's size over all blocks, as `LevelDB` counts; what
//!   the region counts is each block's length rounded up to 16 bytes.
//!
//! One thread at a time: `&mut self` throughout. Any thread reads the usage, one word that the arena alone writes.
//! Deliberately absent: reset, freeing, alignments above a pointer's. See [`Arena`](crate::Arena) for those.
#![expect(unsafe_code, reason = "bumps a pointer through blocks of the region")]

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use crate::base::error::{AllocError, AllocErrorKind, RegionError};
use crate::base::extent::Extent;
use crate::base::system::SystemRefusal;
use crate::region::{Account, Client, FirstUse, Home, Region, client_limits, home_setters};
use crate::sync::{Arc, OwnedUsize};

/// A request above this many bytes does not begin a new common block.
const LARGE_ABOVE_BYTES: usize = BlockArena::BLOCK_BYTES / 4;
/// What one block costs beside its bytes, as `LevelDB` counts: its pointer in the list.
const POINTER_BYTES: usize = size_of::<*mut u8>();
/// Alignment of [`BlockArena::allocate_aligned`], in bytes.
const ALIGN: usize = if POINTER_BYTES > 8 { POINTER_BYTES } else { 8 };

/// `LevelDB`'s arena: blocks of 4096 bytes, filled from the front and freed all at once, for one thread at a time.
///
/// A request costs two comparisons and an addition; one in some dozens takes the region's lock. What is handed out
/// stays where it is until the arena is dropped, and is not initialised. For one arena that many threads fill, and for
/// typed methods, see [`Arena`](crate::Arena).
///
/// Its limit is one of the region's bytes, each block rounded up to 16. It has no statistics beyond
/// [`memory_usage`](Self::memory_usage), and nothing of its own to verify: see [`Region::verify`].
///
/// ```
/// use sharded_arena::BlockArena;
/// let mut arena = BlockArena::new();
/// let usage = arena.usage_handle();
/// assert_eq!(usage.get(), 0);
///
/// let key = arena.allocate(100)?;
/// let node = arena.allocate_aligned(24)?;
/// assert_eq!(node.addr().get() - key.addr().get(), 104); // one behind the other, 4 bytes lost to the alignment
/// assert_eq!(arena.memory_usage(), 4096 + size_of::<usize>());
///
/// let reader = std::thread::spawn(move || usage.get());
/// assert_eq!(reader.join().unwrap(), arena.memory_usage());
/// # Ok::<(), sharded_arena::AllocError>(())
/// ```
pub struct BlockArena {
    cursor: NonNull<u8>,
    remaining: usize,
    blocks: Vec<Extent>,
    usage: Arc<OwnedUsize>,
    account: FirstUse<Account>,
}

// SAFETY: `cursor` points into memory that the account holds and that no other thread was given; it has no thread
// affinity.
unsafe impl Send for BlockArena {}

impl Default for BlockArena {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BlockArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockArena")
            .field("memory_usage", &self.memory_usage())
            .field("blocks", &self.blocks.len())
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

client_limits! { [] BlockArena: |arena| arena.account }

/// Options of a [`BlockArena`]; see [`BlockArena::builder`].
///
/// ```
/// use sharded_arena::{BlockArena, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let mut arena = BlockArena::builder().region(&region).limit(2 * BlockArena::BLOCK_BYTES).build()?;
/// assert!((0..8).all(|_| arena.allocate(1000).is_ok())); // two blocks
/// assert_eq!(arena.allocate(1000).unwrap_err().limit, 8192);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct BlockArenaBuilder {
    home: Home,
}

home_setters! {
    [] BlockArenaBuilder,
    /// Sets the bytes of a region of its own, 4 KiB to 64 GiB − 4 KiB. Ignored if a [`region`](Self::region) is set.
    capacity(bytes)
}

impl BlockArenaBuilder {
    /// Makes the arena. It takes nothing until its first use.
    ///
    /// # Errors
    /// As [`Region::with_capacity`] for a region of its own.
    pub fn build(self) -> Result<BlockArena, RegionError> {
        let limit = self.home.limit;
        Ok(BlockArena::in_home(self.home.open()?, limit))
    }
}

impl BlockArena {
    /// Length of a common block, in bytes.
    pub const BLOCK_BYTES: usize = 4096;

    /// An arena that only its region's capacity bounds, which is made at its first use, as long as
    /// [`Arena::new`](crate::Arena::new) says. A page of it becomes memory when it is first touched.
    #[must_use]
    pub fn new() -> BlockArena {
        Self::in_home(None, usize::MAX)
    }

    /// An arena that shares `region` and its limit with other arenas and heaps. Takes nothing until used.
    #[must_use]
    pub fn in_region(region: &Region) -> BlockArena {
        Self::in_home(Some(region.clone()), usize::MAX)
    }

    /// An arena with a region of its own, whose capacity and limit is `bytes`.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<BlockArena, RegionError> {
        Self::builder().capacity(bytes).build()
    }

    /// An arena with options.
    pub fn builder() -> BlockArenaBuilder {
        BlockArenaBuilder::default()
    }

    fn in_home(region: Option<Region>, limit: usize) -> BlockArena {
        let usage = Arc::new(OwnedUsize::new(0));
        BlockArena {
            cursor: NonNull::dangling(),
            remaining: 0,
            blocks: Vec::new(),
            usage,
            account: FirstUse::new(region, limit),
        }
    }

    /// Hands out `bytes` bytes, of no alignment, not initialised, that stay until the arena is dropped. No lock while
    /// the current block lasts; never initialises, logs or moves anything.
    ///
    /// # Errors
    /// `InvalidLayout` for zero bytes and for more than `isize::MAX`. `LimitReached` or `Fragmented` when a new block
    /// is needed and the region refuses it, `System` when the system refuses the region's addresses or memory for the
    /// list of blocks; then nothing has changed, and a request that the current block has room for still succeeds. By
    /// `LevelDB`'s policy a small request needs a whole block.
    #[inline]
    #[doc(alias = "alloc")]
    pub fn allocate(&mut self, bytes: usize) -> Result<NonNull<u8>, AllocError> {
        if bytes == 0 || bytes > self.remaining {
            return self.fall_back(bytes, 1);
        }
        Ok(self.bump(bytes))
    }

    /// As [`allocate`](Self::allocate), aligned for a pointer and to 8 bytes at least. What the alignment skips is
    /// lost.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    #[inline]
    pub fn allocate_aligned(&mut self, bytes: usize) -> Result<NonNull<u8>, AllocError> {
        let slop = self.cursor.addr().get().wrapping_neg() % ALIGN;
        if bytes == 0 || bytes.saturating_add(slop) > self.remaining {
            return self.fall_back(bytes, ALIGN);
        }
        self.bump(slop);
        Ok(self.bump(bytes))
    }

    /// Bytes of all blocks, and a pointer's size for each: `LevelDB`'s figure, 0 when nothing was allocated. One load.
    ///
    /// The region counts the blocks alone, each rounded up to 16 bytes.
    #[doc(alias = "allocated_bytes")]
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.usage.get()
    }

    /// A handle that reads [`memory_usage`](Self::memory_usage) on any thread, while the arena works and after it is
    /// gone.
    #[must_use]
    pub fn usage_handle(&self) -> UsageHandle {
        UsageHandle { usage: self.usage.clone() }
    }

    /// Greatest [`memory_usage`](Self::memory_usage) so far, which is that of now: nothing is freed alone. One load.
    #[must_use]
    pub fn peak_memory_usage(&self) -> usize {
        self.memory_usage()
    }

    /// Hands out the next `bytes` bytes, of which there are `remaining` at least.
    #[inline(always)]
    fn bump(&mut self, bytes: usize) -> NonNull<u8> {
        debug_assert!(bytes <= self.remaining, "INV-block_arena-1");
        let at = self.cursor;
        // SAFETY: `NonNull::add`: at most `remaining` bytes on, so inside the block or one past it (INV-block_arena-1).
        self.cursor = unsafe { at.add(bytes) };
        self.remaining -= bytes;
        at
    }

    /// The request that the current block has no room for. A new block is aligned to 16 bytes, for either method.
    #[cold]
    #[inline(never)]
    fn fall_back(&mut self, bytes: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        let layout = match Layout::from_size_align(bytes, align) {
            Ok(layout) if bytes > 0 => layout,
            _ => return Err(self.refusal(bytes, align, AllocErrorKind::InvalidLayout)),
        };
        if bytes > LARGE_ABOVE_BYTES {
            return self.new_block(bytes, layout);
        }
        self.cursor = self.new_block(Self::BLOCK_BYTES, layout)?;
        self.remaining = Self::BLOCK_BYTES;
        Ok(self.bump(bytes))
    }

    /// A block of `len` bytes for a request of `layout`, which a refusal names.
    fn new_block(&mut self, len: usize, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let before = self.blocks.capacity();
        let listed = self.blocks.try_reserve(1).map_err(|_| {
            // What a vector asks for that is full.
            SystemRefusal::of_allocator((2 * before).max(4) * size_of::<Extent>())
        });
        let longer = self.blocks.capacity() - before;
        let account = listed.and_then(|()| self.account.make(Account::open, |_| ()));
        let account =
            account.map_err(|system| self.refusal(layout.size(), layout.align(), AllocErrorKind::System(system)))?;
        account.add_metadata_bytes(longer * size_of::<Extent>());
        let (extent, block) = account.take(len, layout)?;
        self.blocks.push(extent);
        self.usage.set(self.usage.get() + len + POINTER_BYTES);
        Ok(block)
    }

    /// The figures of a refusal that is not the region's: of bytes that nothing could serve, or for want of memory for
    /// the region or the list.
    fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        match self.account.made() {
            Some(account) => account.refusal(requested, align, kind),
            None => Region::refusal_of(self.region(), requested, align, kind),
        }
    }
}

impl Drop for BlockArena {
    /// Gives all blocks back, and the usage handles read 0.
    fn drop(&mut self) {
        if let Some(account) = self.account.made() {
            // SAFETY: `close`'s contract: the extents are the account's, each named once (INV-block_arena-2); what
            // points into them may no longer be used, which every method that hands something out says.
            unsafe { account.close(&mut self.blocks) };
        }
        self.usage.set(0);
    }
}

/// Reads the memory usage of one [`BlockArena`] on any thread, without a lock; 0 once the arena is gone.
///
/// The figure is one that the arena had; it may be about to change. Keeps neither the arena nor its memory.
///
/// ```
/// use sharded_arena::BlockArena;
/// let mut arena = BlockArena::with_capacity(1 << 20)?;
/// let usage = arena.usage_handle();
/// arena.allocate(2000)?;
/// assert_eq!(usage.get(), 2000 + size_of::<usize>());
/// drop(arena);
/// assert_eq!(usage.get(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UsageHandle {
    usage: Arc<OwnedUsize>,
}

impl UsageHandle {
    /// The arena's [`memory_usage`](BlockArena::memory_usage) in bytes; 0 when it is gone. One load.
    #[must_use]
    pub fn get(&self) -> usize {
        self.usage.get()
    }
}

impl fmt::Debug for UsageHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsageHandle").field(&self.get()).finish()
    }
}
