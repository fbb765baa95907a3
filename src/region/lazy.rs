//! The region of an arena that was given none: as large as the machine's memory, made at the arena's first use.
//!
//! A process has 47 bits of addresses, and its threads' stacks need some of them too. So all such regions together
//! reserve a bounded part of them: each takes at most a fixed fraction of what is left of it, which only thousands of
//! arenas notice. Where the addresses of the process are limited, or the system refuses, each takes an eighth of what
//! is left, so that there is room for others, and for the program.

use crate::base::error::{LimitOwner, RegionError};
use crate::base::system::SystemRefusal;
use crate::memory::mapping::{address_limit, machine_bytes, page_bytes};
use crate::sync::{Arc, AtomicU64, Relaxed, shared_static};

use super::{LEAST_BYTES, MOST_BYTES, Region, Shared};

/// Addresses that all such regions together may reserve.
const ADDRESS_BYTES: u64 = if usize::BITS == 64 { 16 << 40 } else { 512 << 20 };
/// The part of what is left of them that one region may have.
const PART: u64 = 64;
/// A region has at least so many, where the machine has the memory and the system grants them.
const FLOOR_BYTES: u64 = if usize::BITS == 64 { 64 << 20 } else { 4 << 20 };
/// The part of the addresses that are left to a limited process which one region may have.
const LIMITED_PART: u64 = 8;
/// What is asked for at last where the system refuses more.
const LEAST_ASKED: u64 = 1 << 20;

shared_static! {
    /// Addresses that such regions have reserved now.
    static RESERVED: AtomicU64 = AtomicU64::new(0);
}

/// Addresses that count as reserved as long as this lives.
#[derive(Debug)]
pub(super) struct Quota(u64);

impl Quota {
    /// So many bytes as one more region may have. Relaxed: it is a policy, two at once may have a little more.
    fn allowed(limit: Option<u64>) -> u64 {
        let reserved = RESERVED.load(Relaxed);
        let allowed = (ADDRESS_BYTES.saturating_sub(reserved) / PART).max(FLOOR_BYTES);
        // What the program itself has mapped is not known; where that leaves too little, the system refuses.
        let with_index = |bytes: u64| bytes + bytes / 2;
        let left = |limit: u64| limit.saturating_sub(with_index(reserved));
        // An eighth of it, with the index.
        let of_limit = |limit| (left(limit) / with_index(LIMITED_PART)).max(LEAST_ASKED);
        limit.map_or(allowed, |limit| of_limit(limit).min(allowed))
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
    /// regions live; an eighth of what the process may still map, or the system would grant, where that is less, down
    /// to 1 MiB. What is reserved costs nothing until it is touched. No huge pages: residency is exact to the page. On
    /// systems without reservations it is 1 GiB.
    ///
    /// # Errors
    /// The system's, when it refuses even the least.
    pub(crate) fn machine() -> Result<Region, SystemRefusal> {
        let most = (machine_bytes() as u64).min(MOST_BYTES).min(Quota::allowed(address_limit()));
        let mut region = largest(most, |bytes| {
            Region::builder().capacity(bytes).huge_pages(false).build().map_err(|error| match error {
                RegionError::System(error) => SystemRefusal::of(bytes, &error),
                // The capacity is within the bounds.
                _ => SystemRefusal::of_allocator(bytes),
            })
        })?;
        let quota = Quota::of(region.capacity() as u64);
        if let Some(shared) = Arc::get_mut(&mut region.shared) {
            shared.quota = Some(quota);
        }
        Ok(region)
    }
}

/// What `make` makes of `most` bytes. Where that is refused: of half as many, and so on; and as what is granted then
/// may be most of what there is, of an eighth of that. Whole pages.
fn largest<T, E>(most: u64, mut make: impl FnMut(usize) -> Result<T, E>) -> Result<T, E> {
    let page = page_bytes();
    let pages = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX) / page * page;
    let floor = pages(LEAST_ASKED.min(most)).max(LEAST_BYTES).max(page);
    let (mut bytes, mut was_refused) = (pages(most), false);
    loop {
        match make(bytes) {
            Err(_) if bytes > floor => (bytes, was_refused) = (pages(bytes as u64 / 2).max(floor), true),
            Ok(_) if was_refused => (bytes, was_refused) = (pages(bytes as u64 / LIMITED_PART).max(floor), false),
            answer => return answer,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MOST: u64 = 64 << 30;

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
    fn an_eighth_of_what_the_system_grants() {
        let page = page_bytes();
        let mut asked = Vec::new();
        let made = largest(1_000_000 * page as u64 + 5, |bytes| {
            asked.push(bytes / page);
            if bytes > 100_000 * page { Err(()) } else { Ok(bytes) }
        });
        assert_eq!(made, Ok(7_812 * page));
        assert_eq!(asked, [1_000_000, 500_000, 250_000, 125_000, 62_500, 7_812]);
    }

    #[test]
    fn the_search_ends_where_nothing_is_granted() {
        let (mut least, mut calls) = (usize::MAX, 0);
        let made = largest(MOST, |bytes| {
            (least, calls) = (bytes, calls + 1);
            Err::<(), usize>(calls)
        });
        assert_eq!((made, least as u64), (Err(calls), LEAST_ASKED));
    }
}
