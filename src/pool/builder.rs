//! `PoolBuilder`: the options of a pool.

use core::fmt;
use core::marker::PhantomData;

use crate::base::error::RegionError;
use crate::region::segments::Segments;
use crate::region::{Home, LEAST_BYTES, home_setters};

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
    /// `ZeroCapacity` for no slot, `TooLarge` for more than 2^32 − 1; for a region of its own `TooLarge` for more than
    /// 64 GiB − 4 KiB of them, and `System` if the operating system refuses.
    pub fn build(self) -> Result<Pool<T>, RegionError> {
        let Home { region, capacity, limit } = self.home;
        let Some(slots) = capacity else { return Ok(Pool::with_limit(region, ANY_NUMBER, limit)) };
        if slots == 0 {
            return Err(RegionError::ZeroCapacity);
        }
        if slots > MOST_SLOTS {
            return Err(RegionError::TooLarge);
        }
        let capacity = match region {
            Some(_) => None,
            // What over-aligned segments may skip is added.
            None => Some(
                Segments::<Slot<T>>::bytes_for(slots)
                    .and_then(|bytes| bytes.checked_add(align_of::<Slot<T>>()))
                    .ok_or(RegionError::TooLarge)?
                    .max(LEAST_BYTES),
            ),
        };
        Ok(Pool::with_limit(Home { region, capacity, limit }.open()?, slots, limit))
    }
}
