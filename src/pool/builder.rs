//! `PoolBuilder`: the options of a pool.

use core::fmt;
use core::marker::PhantomData;

use crate::base::error::RegionError;
use crate::memory::mapping::page_bytes;
use crate::region::segments::Segments;
use crate::region::{Home, LEAST_BYTES, MOST_BYTES, home_setters};

use super::slot::Slot;
use super::{ANY_NUMBER, MOST_SLOTS, Pool};

/// Options of a pool; see [`Pool::builder`].
///
/// ```
/// use sharded_arena::{Pool, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let pool = Pool::builder().region(&region).capacity(2).build()?;
/// assert!(pool.insert("one").is_ok() && pool.insert("two").is_ok());
/// assert!(pool.insert("three").is_err()); // the region has room, the pool has not
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct PoolBuilder<T> {
    home: Home,
    makes: PhantomData<fn() -> T>,
}

impl<T> Default for PoolBuilder<T> {
    fn default() -> Self {
        Self { home: Home::default(), makes: PhantomData }
    }
}

impl<T> Clone for PoolBuilder<T> {
    fn clone(&self) -> Self {
        Self { home: self.home.clone(), makes: PhantomData }
    }
}

impl<T> fmt::Debug for PoolBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder").field("home", &self.home).finish()
    }
}

home_setters! {
    [<T>] PoolBuilder<T>,
    /// Sets how many **slots** the pool may have, 1 to 2^32 − 1. Without a [`region`](Self::region) it makes one with
    /// room for all of them. Unless set, as many as the region has room for.
    capacity(slots)
}

impl<T> PoolBuilder<T> {
    /// Makes the pool. It takes nothing from its region until its first use.
    ///
    /// # Errors
    /// `ZeroCapacity` for no slot, `AboveGreatest` for more than 2^32 − 1, or than fit into a region of its own,
    /// `System` if the operating system refuses one.
    pub fn build(self) -> Result<Pool<T>, RegionError> {
        let Home { region, capacity, limit } = self.home;
        let Some(slots) = capacity else { return Ok(Pool::with_limit(region, ANY_NUMBER, limit)) };
        if slots == 0 {
            return Err(RegionError::ZeroCapacity);
        }
        let capacity = match region {
            Some(_) if slots > MOST_SLOTS => return Err(above_greatest(slots, MOST_SLOTS)),
            Some(_) => None,
            None => Some(Self::bytes_for(slots).ok_or_else(|| Self::too_many(slots))?.max(LEAST_BYTES)),
        };
        Ok(Pool::with_limit(Home { region, capacity, limit }.open()?, slots, limit))
    }

    /// Bytes of a region with room for `slots` slots; `None` if they are too many for keys, or for a region.
    fn bytes_for(slots: usize) -> Option<usize> {
        let bytes = Segments::<Slot<T>>::bytes_for(slots).filter(|_| slots <= MOST_SLOTS)?;
        // What over-aligned segments may skip is added.
        let bytes = bytes.checked_add(align_of::<Slot<T>>())?.checked_next_multiple_of(page_bytes())?;
        Some(bytes).filter(|bytes| *bytes as u64 <= MOST_BYTES)
    }

    /// The refusal of more slots than a pool with a region of its own can have, with the most it can have.
    #[cold]
    fn too_many(given: usize) -> RegionError {
        let (mut most, mut beyond) = (0, MOST_SLOTS.saturating_add(1));
        while beyond - most > 1 {
            let middle = most + (beyond - most) / 2;
            if Self::bytes_for(middle).is_some() { most = middle } else { beyond = middle }
        }
        above_greatest(given, most)
    }
}

fn above_greatest(given: usize, greatest: usize) -> RegionError {
    RegionError::AboveGreatest { given, greatest, unit: "slots" }
}
