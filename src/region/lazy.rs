//! The region of an arena that was given none: as large as the machine's memory, made at the arena's first use.
//!
//! A process has 47 bits of addresses, and its threads' stacks need some of them too. So all such regions together
//! reserve a bounded part of them: each takes at most a fixed fraction of what is left of it, which only thousands of
//! arenas notice.

use crate::base::error::{LimitOwner, RegionError};
use crate::memory::mapping::{machine_bytes, page_bytes};
use crate::sync::{Arc, AtomicU64, Relaxed, shared_static};

use super::{LEAST_BYTES, MOST_BYTES, Region, Shared};

/// Addresses that all such regions together may reserve.
const ADDRESS_BYTES: u64 = if usize::BITS == 64 { 16 << 40 } else { 512 << 20 };
/// The part of what is left of them that one region may have.
const PART: u64 = 64;
/// A region has at least so many, where the machine has the memory.
const FLOOR_BYTES: u64 = if usize::BITS == 64 { 64 << 20 } else { 4 << 20 };

shared_static! {
    /// Addresses that such regions have reserved now.
    static RESERVED: AtomicU64 = AtomicU64::new(0);
}

/// Addresses that count as reserved as long as this lives.
#[derive(Debug)]
pub(super) struct Quota(u64);

impl Quota {
    /// So many bytes as one more region may have. Relaxed: it is a policy, two at once may have a little more.
    fn allowed() -> u64 {
        (ADDRESS_BYTES.saturating_sub(RESERVED.load(Relaxed)) / PART).max(FLOOR_BYTES)
    }

    fn of(bytes: u64) -> Self {
        RESERVED.fetch_add(bytes, Relaxed);
        Self(bytes)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.0, Relaxed);
    }
}

impl Shared {
    /// What an error calls the owner of the region's limit.
    pub(super) fn limit_owner(&self) -> LimitOwner {
        let is_own_choice = self.quota.is_some() && self.budget.limit() >= self.capacity;
        if is_own_choice { LimitOwner::New } else { LimitOwner::Region }
    }
}

impl Region {
    /// Reserves as much address space as the machine has memory, at most 64 GiB − 4 KiB, less when thousands of such
    /// regions live; half as much, and so on down to 64 MiB, where the system refuses. What is reserved costs nothing
    /// until it is touched. No huge pages: residency is exact to the page. On systems without reservations it is 1 GiB.
    ///
    /// # Errors
    /// The system's, when it refuses even the least.
    pub(crate) fn machine() -> Result<Region, RegionError> {
        let most = (machine_bytes() as u64).min(MOST_BYTES).min(Quota::allowed());
        let mut region = largest(most, |bytes| Region::builder().capacity(bytes).huge_pages(false).build())?;
        let quota = Quota::of(region.capacity() as u64);
        if let Some(shared) = Arc::get_mut(&mut region.shared) {
            shared.quota = Some(quota);
        }
        Ok(region)
    }
}

/// What `make` makes of `most` bytes, or of half as many each time it reports a refusal of the system's; whole pages.
fn largest<T>(most: u64, mut make: impl FnMut(usize) -> Result<T, RegionError>) -> Result<T, RegionError> {
    let page = page_bytes();
    let mut bytes = usize::try_from(most).unwrap_or(usize::MAX) / page * page;
    let floor = usize::try_from(FLOOR_BYTES).unwrap_or(usize::MAX).max(LEAST_BYTES).max(page);
    loop {
        match make(bytes) {
            Err(RegionError::System(_)) if bytes / 2 >= floor => bytes = bytes / 2 / page * page,
            other => return other,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MOST: u64 = 64 << 30;

    fn refused() -> RegionError {
        RegionError::System(std::io::ErrorKind::OutOfMemory.into())
    }

    #[test]
    fn the_region_is_the_machine_s_memory_and_costs_little() {
        let region = Region::machine().expect("address space");
        let most = (machine_bytes() as u64).min(MOST_BYTES);
        assert!((FLOOR_BYTES.min(most)..=most).contains(&(region.capacity() as u64)), "{region:?}");
        assert_eq!(region.capacity(), region.limit());
        assert_eq!((region.memory_usage(), region.stats().extents_free), (0, 1));
        assert!(region.stats().metadata_bytes < 1 << 20, "{}", region.stats());
    }

    #[test]
    fn many_regions_leave_addresses_for_others() {
        let before = RESERVED.load(Relaxed);
        let regions: Vec<Region> = (0..600).map(|_| Region::machine().expect("address space")).collect();
        let sum: u64 = regions.iter().map(|region| region.capacity() as u64).sum();
        assert!(sum <= ADDRESS_BYTES + 600 * FLOOR_BYTES, "{sum} bytes of addresses");
        assert!(RESERVED.load(Relaxed) >= before.max(sum));
        // Other tests have such regions too, so the figure is not exact.
        let largest = regions[0].capacity();
        drop(regions);
        assert!(Region::machine().expect("address space").capacity() >= largest / 2);
    }

    #[test]
    fn half_as_much_until_the_system_grants_it() {
        let page = page_bytes();
        let mut asked = Vec::new();
        let made = largest(1_000_000 * page as u64 + 5, |bytes| {
            asked.push(bytes / page);
            if bytes > 100_000 * page { Err(refused()) } else { Ok(bytes) }
        });
        assert_eq!(made.expect("granted"), 62_500 * page);
        assert_eq!(asked, [1_000_000, 500_000, 250_000, 125_000, 62_500]);
    }

    #[test]
    fn it_ends_where_nothing_is_granted_and_at_an_error_that_less_would_not_help() {
        let mut least = usize::MAX;
        let made: Result<(), _> = largest(MOST, |bytes| {
            least = bytes;
            Err(refused())
        });
        assert!(
            matches!(made, Err(RegionError::System(_)))
                && least as u64 >= FLOOR_BYTES
                && (least as u64) < 2 * FLOOR_BYTES
        );
        let mut calls = 0;
        let made: Result<(), _> = largest(MOST, |_| {
            calls += 1;
            Err(RegionError::above(2, 1))
        });
        assert!(matches!(made, Err(RegionError::AboveGreatest { .. })) && calls == 1);
    }
}
