//! `Client`: what takes memory from a region within a limit of its own, and what its users may ask and tell it.
//!
//! [`Home`] is where a client's memory comes from, as its builder was told; `home_setters!` and `client_limits!` give
//! the builders and the clients the methods that all of them have.
//!
//! Deliberately not here: when a client's body is made (`first_use.rs`), and what it does with its memory.

use crate::base::error::{AllocError, AllocErrorKind, RegionError};

use super::budget::Budget;
use super::{Blocker, Region, ShardSet};

/// See the module's header.
pub(crate) trait Client {
    /// Returns the region that the memory comes from.
    fn region(&self) -> &Region;

    /// Returns the client as its region sees it.
    fn set(&self) -> &dyn ShardSet;

    /// Returns the client's own usage and limit.
    fn budget(&self) -> &Budget {
        self.set().budget()
    }

    /// Returns the client's own limit, or its region's if that is lower.
    fn limit(&self) -> usize {
        self.budget().limit().min(self.region().limit())
    }

    /// Changes the client's own limit. Takes the lock.
    fn set_limit(&self, bytes: usize) {
        self.region().section(|_locked| self.budget().set_limit(bytes));
    }

    /// Returns the figures of a refusal that is not the region's, under the lower of both limits.
    #[cold]
    fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        let own = self.budget().limit() < self.region().limit();
        let blocker = if own { Blocker::Own } else { Blocker::Region };
        let figures = self.region().section(|section| section.error(Some(self.set()), blocker, requested, align));
        AllocError { kind, ..figures }
    }
}

/// Where a client's memory comes from: a region to share, one of its own of so many bytes, or, without either, one as
/// large as the machine's memory that is made at the first use.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) region: Option<Region>,
    /// Of a region of its own; in the client's unit.
    pub(crate) capacity: Option<usize>,
    /// Bytes that may be taken from the region.
    pub(crate) limit: usize,
}

impl Default for Home {
    fn default() -> Self {
        Self { region: None, capacity: None, limit: usize::MAX }
    }
}

impl Home {
    /// Returns the region, if one was given or its capacity was: then it is made.
    ///
    /// # Errors
    /// As [`Region::with_capacity`] for a region of its own.
    pub(crate) fn open(self) -> Result<Option<Region>, RegionError> {
        match self.region {
            None => self.capacity.map(Region::with_capacity).transpose(),
            region => Ok(region),
        }
    }
}

/// The setters of a builder's field `home`; `capacity` is documented by the builder's unit.
macro_rules! home_setters {
    ([$($generic:tt)*] $builder:ty, $(#[$capacity:meta])+ capacity($amount:ident)) => {
        impl $($generic)* $builder {
            /// Shares `region` and its limit. Without a region and without a capacity, one as large as the machine's
            /// memory is made at the first use.
            pub fn region(mut self, region: &$crate::Region) -> Self {
                self.home.region = Some(region.clone());
                self
            }

            $(#[$capacity])+
            pub fn capacity(mut self, $amount: usize) -> Self {
                self.home.capacity = Some($amount);
                self
            }

            /// Sets how many bytes may be taken from the region. Unless set, only the region's limit holds.
            pub fn limit(mut self, bytes: usize) -> Self {
                self.home.limit = bytes;
                self
            }
        }
    };
}
pub(crate) use home_setters;

/// The methods of a client that concern its region and its limit, over the [`FirstUse`](super::FirstUse) after the bar:
/// `client_limits! { [] Arena: |arena| arena.inner.first_use() }`. With `read` in front, those that change nothing.
macro_rules! client_limits {
    (read [$($generic:tt)*] $type:ty: |$this:ident| $first_use:expr) => {
        impl $($generic)* $type {
            /// Returns the region that the memory comes from, or `None` before the first use of one that was given
            /// neither a region nor a capacity.
            #[must_use]
            pub fn region(&self) -> Option<$crate::Region> {
                let $this = self;
                $first_use.region()
            }

            /// Returns the own limit, or the region's if that is lower, in bytes. `usize::MAX` before the first use of
            /// one that was given neither.
            #[must_use]
            pub fn limit(&self) -> usize {
                let $this = self;
                $first_use.limit()
            }
        }
    };
    ([$($generic:tt)*] $type:ty: |$this:ident| $first_use:expr) => {
        $crate::region::client_limits! { read [$($generic)*] $type: |$this| $first_use }

        impl $($generic)* $type {
            /// Sets the own limit, in bytes; `usize::MAX` ends it. Takes the lock.
            ///
            /// Usage above a lowered limit stays until it is freed; meanwhile nothing is taken from the region. For
            /// what a thread has cached then, see [`Region::set_limit`](crate::Region::set_limit).
            #[doc(alias = "set_allocation_limit")]
            pub fn set_limit(&self, bytes: usize) {
                let $this = self;
                $first_use.set_limit(bytes);
            }
        }
    };
}
pub(crate) use client_limits;
