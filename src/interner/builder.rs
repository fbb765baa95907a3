//! `InternerBuilder`: the options of an interner.

use crate::base::error::RegionError;
use crate::region::{Home, home_setters};

use super::Interner;

/// Options of an interner; see [`Interner::builder`].
///
/// ```
/// use sharded_arena::{Interner, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let names = Interner::builder().region(&region).limit(16 << 10).build()?;
/// let refused = (0..).find_map(|n: u32| names.intern(&n.to_string()).err()).unwrap();
/// assert!(refused.limit == 16 << 10 && names.memory_usage() <= 16 << 10);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct InternerBuilder {
    home: Home,
}

home_setters! {
    [] InternerBuilder,
    /// Sets the bytes of a region of its own, 4 KiB to 64 GiB − 4 KiB. Ignored if a [`region`](Self::region) is set.
    capacity(bytes)
}

impl InternerBuilder {
    /// Makes the interner. Its tables are made at its first use.
    ///
    /// # Errors
    /// As [`Region::with_capacity`](crate::Region::with_capacity) for a region of its own.
    pub fn build(self) -> Result<Interner, RegionError> {
        let limit = self.home.limit;
        Ok(Interner::in_home(self.home.open()?, limit))
    }
}
