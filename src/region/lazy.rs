//! The region of an arena that was given none: as large as the machine's memory, made at the arena's first use.

use crate::error::RegionError;
use crate::mapping::{machine_bytes, page_bytes};

use super::{LEAST_BYTES, MOST_BYTES, Region};

impl Region {
    /// Reserves as much address space as the machine has memory, at most 64 GiB − 4 KiB; half as much, and so on, where
    /// the system refuses. What is reserved costs nothing until it is touched. No huge pages: residency is exact to the
    /// page. On systems without reservations it is 1 GiB.
    ///
    /// # Errors
    /// The system's, when it refuses even a few pages.
    pub(crate) fn machine() -> Result<Region, RegionError> {
        let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
        largest(machine_bytes().min(most), |bytes| Region::builder().capacity(bytes).huge_pages(false).build())
    }
}

/// What `make` makes of `most` bytes, or of half as many each time it reports a refusal of the system's; whole pages.
fn largest<T>(most: usize, mut make: impl FnMut(usize) -> Result<T, RegionError>) -> Result<T, RegionError> {
    let page = page_bytes();
    let mut bytes = most / page * page;
    loop {
        match make(bytes) {
            Err(RegionError::System(_)) if bytes / 2 >= LEAST_BYTES.max(page) => bytes = bytes / 2 / page * page,
            other => return other,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MOST: usize = 64 << 30;

    fn refused() -> RegionError {
        RegionError::System(std::io::ErrorKind::OutOfMemory.into())
    }

    #[test]
    fn the_region_is_the_machine_s_memory_and_costs_little() {
        let region = Region::machine().expect("address space");
        let page = page_bytes();
        let mut expected = machine_bytes().min((64 << 30) - 4096) / page * page;
        while expected > region.capacity() {
            // A system that counts reservations has refused as much.
            expected = expected / 2 / page * page;
        }
        assert_eq!((region.capacity(), region.limit()), (expected, expected));
        assert_eq!((region.memory_usage(), region.stats().extents_free), (0, 1));
        assert!(region.stats().metadata_bytes < 1 << 20, "{}", region.stats());
    }

    #[test]
    fn half_as_much_until_the_system_grants_it() {
        let page = page_bytes();
        let mut asked = Vec::new();
        let made = largest(1000 * page + 5, |bytes| {
            asked.push(bytes / page);
            if bytes > 100 * page { Err(refused()) } else { Ok(bytes) }
        });
        assert_eq!(made.expect("granted"), 62 * page);
        assert_eq!(asked, [1000, 500, 250, 125, 62]);
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
                && least >= LEAST_BYTES
                && least < 2 * page_bytes().max(LEAST_BYTES)
        );
        let mut calls = 0;
        let made: Result<(), _> = largest(MOST, |_| {
            calls += 1;
            Err(RegionError::TooLarge)
        });
        assert!(matches!(made, Err(RegionError::TooLarge)) && calls == 1);
    }
}
