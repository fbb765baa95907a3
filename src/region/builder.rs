//! `RegionBuilder`: the options of a region.

use crate::base::error::RegionError;
use crate::memory::mapping::{Advice, HUGE_FROM_BYTES, Mapping, page_bytes};

use super::budget::SLACK_DIVISOR;
use super::{LEAST_BYTES, MOST_BYTES, Region, Wipe};

/// Options of a region; see [`Region::builder`].
///
/// ```
/// use sharded_arena::Region;
/// let region = Region::builder().capacity(8 << 20).limit(6 << 20).huge_pages(false).build()?;
/// assert_eq!((region.capacity(), region.limit()), (8 << 20, 6 << 20));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct RegionBuilder {
    capacity: usize,
    limit: Option<usize>,
    slack_divisor: usize,
    huge_pages: Option<bool>,
    advice: Advice,
    poison_on_free: bool,
    zero_on_free: bool,
    limit_covers_index: bool,
}

impl Default for RegionBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl RegionBuilder {
    pub(super) fn new() -> Self {
        Self {
            capacity: 0,
            limit: None,
            slack_divisor: SLACK_DIVISOR,
            huge_pages: None,
            advice: Advice::default(),
            poison_on_free: false,
            zero_on_free: false,
            limit_covers_index: false,
        }
    }

    /// Bytes of address space, rounded up to the page; 4 KiB to 64 GiB − 4 KiB. Required.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Bytes that may be handed out at once; the capacity unless set. A greater one is kept as given; then the capacity
    /// bounds, and a refusal is [`Fragmented`](crate::AllocErrorKind::Fragmented).
    ///
    /// The limit does not cover the region's metadata, which [`RegionStats::metadata_bytes`](crate::RegionStats)
    /// reports and which lies outside the region. It is about 20 KB for a region, 2 % of what was touched, and 16 bytes
    /// for each free range of less than 64 KiB there was at once. At worst, when every second block of 16 bytes is
    /// free, that is half of the capacity. [`Region::trim`] returns what is no longer needed of it. A heap adds about
    /// 4 KB for each thread that uses it, and its magazines' nodes, a 16th of the limit at most; an arena adds some 200
    /// bytes for each thread. [`limit_covers_index`](Self::limit_covers_index) lets the limit cover the index.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Lets the limit cover the index too: the most memory that it can ever need under that limit is charged to the
    /// region's usage when it is built, so that giving back never fails for want of it. That is about half of the
    /// limit, or half of the capacity and 2 % if that is less. What heaps and arenas have beside their blocks is not
    /// covered.
    ///
    /// A limit that is raised later charges more; one that is lowered gives nothing back.
    ///
    /// ```
    /// use sharded_arena::Region;
    /// let region = Region::builder().capacity(8 << 20).limit_covers_index(true).build()?;
    /// let stats = region.stats();
    /// assert_eq!(region.memory_usage(), stats.index_charged);
    /// assert!(stats.index_bytes <= stats.index_charged && stats.index_charged < 5 << 20);
    /// # Ok::<(), sharded_arena::RegionError>(())
    /// ```
    pub fn limit_covers_index(mut self, on: bool) -> Self {
        self.limit_covers_index = on;
        self
    }

    /// Sets how much threads may hold idle: `limit / divisor` bytes, all of them together. 16 unless set; 0 counts as
    /// 1.
    #[doc(alias = "slack_divisor")]
    pub fn idle_divisor(mut self, divisor: usize) -> Self {
        self.slack_divisor = divisor;
        self
    }

    /// The former name of [`idle_divisor`](Self::idle_divisor).
    #[deprecated(since = "0.1.0", note = "renamed to `idle_divisor`")]
    pub fn slack_divisor(self, divisor: usize) -> Self {
        self.idle_divisor(divisor)
    }

    /// Asks the system for huge pages, or for none at all; unless set, for them from 4 MiB on, but not in guard mode.
    ///
    /// Without them residency is exact to the page, also where the system's own setting is `always`.
    pub fn huge_pages(mut self, on: bool) -> Self {
        self.huge_pages = Some(on);
        self
    }

    /// Touches every page at construction, as far as the system lets it.
    pub fn prefault(mut self, on: bool) -> Self {
        self.advice.prefault = on;
        self
    }

    /// Locks the pages in memory at construction; they are then never trimmed.
    pub fn lock_memory(mut self, on: bool) -> Self {
        self.advice.lock_memory = on;
        self
    }

    /// Guard mode: an unreadable page before and behind the region, and what is freed as a whole becomes unreadable for
    /// a while, so that a stale read ends the program, in release builds too.
    ///
    /// That is every block of a heap that is too long for a size class (8 KiB, 32 KiB in regions of 64 MiB and more),
    /// every chunk of an arena or a scratch stack at its reset, rewind or drop, and every long block of these, when it is
    /// freed too: their whole pages.
    /// Such a block begins on a page of its own where there is room, a chunk of a page and more consists of whole
    /// pages, and keeps what is unused of the last one. What is shorter, the tail that a shrink cuts off, and the last
    /// part of a page stay readable. As blocks begin on pages, gaps between them stay free for small ones: a capacity
    /// of twice the limit makes up for them.
    ///
    /// What became unreadable waits, and counts as the region's usage: up to a quarter of the limit and up to 1,024
    /// blocks or chunks, or the one freed last. It gives way, oldest first, to newer ones, and before any request is
    /// refused. [`Region::flush_quarantine`] empties it. Its memory goes to the operating system meanwhile, unless it
    /// is locked or was filled with [`poison_on_free`](Self::poison_on_free). A second free of such a block is
    /// found for certain while it waits: reported by a [checked](crate::HeapBuilder::checked) heap, counted by another.
    ///
    /// A free then costs two system calls, and each block that waits up to two of the mappings that a process may have.
    /// Where the system has none left, a block is given back readable; one that it cannot make readable again stays
    /// where it is, and a request may be refused beside it. Arenas keep no memory warm over a reset, and huge pages are
    /// not asked for unless [`huge_pages`](Self::huge_pages) says so. On systems but Linux and Android it does nothing.
    #[doc(alias = "guard_pages")]
    pub fn guard_mode(mut self, on: bool) -> Self {
        self.advice.guard_pages = on;
        self
    }

    /// The former name of [`guard_mode`](Self::guard_mode).
    #[deprecated(since = "0.1.0", note = "renamed to `guard_mode`")]
    pub fn guard_pages(self, on: bool) -> Self {
        self.guard_mode(on)
    }

    /// Fills freed blocks with `0xDE`, unless [`zero_on_free`](Self::zero_on_free) is set too. Heaps in the region then
    /// cache nothing: every call takes the lock.
    pub fn poison_on_free(mut self, on: bool) -> Self {
        self.poison_on_free = on;
        self
    }

    /// Fills freed blocks with zeros. Heaps in the region then cache nothing: every call takes the lock.
    pub fn zero_on_free(mut self, on: bool) -> Self {
        self.zero_on_free = on;
        self
    }

    /// Makes the region.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, or if the limit is less than the index needs that it covers;
    /// `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating system refuses the memory, or the lock on it.
    pub fn build(self) -> Result<Region, RegionError> {
        if self.capacity < LEAST_BYTES {
            return Err(RegionError::below(self.capacity, LEAST_BYTES));
        }
        let rounded = self.capacity.checked_next_multiple_of(page_bytes()).filter(|bytes| *bytes as u64 <= MOST_BYTES);
        let rounded = rounded.ok_or_else(|| RegionError::above(self.capacity, MOST_BYTES))?;
        // A page that becomes unreadable would part a huge one.
        let huge_pages = self.huge_pages.unwrap_or(rounded >= HUGE_FROM_BYTES && !self.advice.guard_pages);
        let mapping = Mapping::reserve(rounded, Advice { huge_pages, ..self.advice })?;
        let wipe = match (self.zero_on_free, self.poison_on_free) {
            (true, _) => Some(Wipe::ZERO),
            (false, true) => Some(Wipe::POISON),
            (false, false) => None,
        };
        let region = Region::on(mapping, self.limit.unwrap_or(self.capacity), self.slack_divisor, wipe)?;
        if self.limit_covers_index {
            region.charge_index()?;
        }
        Ok(region)
    }
}
