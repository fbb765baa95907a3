//! `FirstUse`: what is made in a region when it is first asked for, for types whose `new` reserves nothing and cannot fail.
//!
//! - INV-FU1: the body, once made, stands as long as this.
//!
//! Synchronised by a lock that only makers take, and by `OnceLock`. Nobody else's lock is taken under it but the region's.

use crate::base::error::RegionError;
use crate::memory::table::try_box;
use crate::sync::{Mutex, OnceLock};

use super::Region;

/// See the module's header.
pub(crate) struct FirstUse<B> {
    /// Held by whoever makes the body, which takes the region along: the one to share, or none: one as large as the
    /// machine's memory.
    making: Mutex<Option<Region>>,
    body: OnceLock<Box<B>>,
}

impl<B> FirstUse<B> {
    /// Nothing yet; later a body in `region`, or in a region of its own.
    pub(crate) fn new(region: Option<Region>) -> Self {
        Self { making: Mutex::new(region), body: OnceLock::new() }
    }

    /// The body, if it was ever made.
    #[inline(always)]
    pub(crate) fn made(&self) -> Option<&B> {
        self.body.get().map(|body| &**body)
    }

    /// The body, exclusively.
    pub(crate) fn made_mut(&mut self) -> Option<&mut B> {
        self.body.get_mut().map(|body| &mut **body)
    }

    /// The body, made at the first call.
    ///
    /// # Errors
    /// The system's, or the global allocator's, refusal; the next call tries again.
    #[cold]
    pub(crate) fn make(&self, make: impl FnOnce(Region) -> Result<B, RegionError>) -> Result<&B, RegionError> {
        self.making.with(|region| {
            if let Some(body) = self.made() {
                return Ok(body);
            }
            let body = try_box(make(region.clone().map_or_else(Region::machine, Ok)?)?)?;
            *region = None;
            Ok(&**self.body.get_or_init(|| body))
        })
    }

    /// The region that was given, if the body was not made meanwhile; `of` says which region a body is in.
    pub(crate) fn region(&self, of: impl Fn(&B) -> Region) -> Option<Region> {
        let made = || self.made().map(&of);
        // The maker takes the region along: who waited for it looks again.
        made().or_else(|| self.making.with(|region| made().or_else(|| region.clone())))
    }
}
