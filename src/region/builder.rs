//! `RegionBuilder`: the options of a region.

use crate::budget::SLACK_DIVISOR;
use crate::error::RegionError;
use crate::mapping::{Advice, HUGE_FROM_BYTES, Mapping, page_bytes};

use super::{LEAST_BYTES, MOST_BYTES, Region};

/// Byte that freed blocks are filled with under `poison_on_free`.
const POISON: u8 = 0xDE;

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
        }
    }

    /// Bytes of address space, rounded up to the page; 4 KiB to 64 GiB − 4 KiB. Required.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Bytes that may be handed out at once; the capacity unless set. A greater one is kept as given; then the capacity
    /// bounds, and a refusal is [`Fragmented`](crate::AllocErrorKind::Fragmented).
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Threads may hold `limit / divisor` bytes idle, all of them together; 16 unless set, 0 counts as 1.
    pub fn slack_divisor(mut self, divisor: usize) -> Self {
        self.slack_divisor = divisor;
        self
    }

    /// Asks for huge pages, or not; asked for from 4 MiB on unless set. Without them residency is exact to the page.
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

    /// Puts an unreadable page before and behind the region.
    pub fn guard_pages(mut self, on: bool) -> Self {
        self.advice.guard_pages = on;
        self
    }

    /// Fills freed blocks with `0xDE`, unless [`zero_on_free`](Self::zero_on_free) is set too. Heaps in the region then cache nothing: every call takes the lock.
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
    /// `ZeroCapacity` below 4 KiB, `TooLarge` above 64 GiB − 4 KiB, `System` if the operating system refuses the memory,
    /// or the lock on it.
    pub fn build(self) -> Result<Region, RegionError> {
        if self.capacity < LEAST_BYTES {
            return Err(RegionError::ZeroCapacity);
        }
        let rounded = self.capacity.checked_next_multiple_of(page_bytes()).ok_or(RegionError::TooLarge)?;
        if rounded as u64 > MOST_BYTES {
            return Err(RegionError::TooLarge);
        }
        let huge_pages = self.huge_pages.unwrap_or(rounded >= HUGE_FROM_BYTES);
        let mapping = Mapping::reserve(rounded, Advice { huge_pages, ..self.advice })?;
        let wipe = match (self.zero_on_free, self.poison_on_free) {
            (true, _) => Some(0),
            (false, true) => Some(POISON),
            (false, false) => None,
        };
        Region::on(mapping, self.limit.unwrap_or(self.capacity), self.slack_divisor, wipe)
    }
}
