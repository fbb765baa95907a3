//! `FirstUse`: what is made in a region when it is first asked for, for types whose `new` reserves nothing and cannot
//! fail.
//!
//! - INV-region.first_use-1: the body, once made, stays where it is as long as this stands.
//!
//! Synchronised by a lock that only makers take, and by `OnceLock`. Nobody else's lock is taken under it but the
//! region's, and it is not taken under that.
//!
//! Deliberately not here: a heap's caches. Its region is there from the start, and without memory for them it does
//! without.

use crate::base::system::SystemRefusal;
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

    /// The body, made at the first call: then `after` runs with it where it stands. Others may have found it by then,
    /// but no maker has.
    ///
    /// # Errors
    /// The system's, or the global allocator's, refusal; the next call tries again.
    #[inline]
    pub(crate) fn make(
        &self,
        make: impl FnOnce(Region) -> Result<B, SystemRefusal>,
        after: impl FnOnce(&B),
    ) -> Result<&B, SystemRefusal> {
        match self.made() {
            Some(body) => Ok(body),
            None => self.make_first(make, after),
        }
    }

    #[cold]
    fn make_first(
        &self,
        make: impl FnOnce(Region) -> Result<B, SystemRefusal>,
        after: impl FnOnce(&B),
    ) -> Result<&B, SystemRefusal> {
        self.making.with(|region| {
            if let Some(body) = self.made() {
                return Ok(body);
            }
            let body = try_box(make(region.clone().map_or_else(Region::machine, Ok)?)?)?;
            *region = None;
            let body = &**self.body.get_or_init(|| body);
            after(body);
            Ok(body)
        })
    }

    /// What `made` says of the body, or, if it was not made yet, `given` of the region that was given.
    pub(crate) fn look<R>(&self, made: impl Fn(&B) -> R, given: impl FnOnce(&Option<Region>) -> R) -> R {
        let body = || self.made().map(&made);
        // The maker takes the region along: who waited for it looks again.
        body().unwrap_or_else(|| self.making.with(|region| body().unwrap_or_else(|| given(region))))
    }

    /// The region that was given, or that of the body; `of` says which that is.
    pub(crate) fn region(&self, of: impl Fn(&B) -> Region) -> Option<Region> {
        self.look(|body| Some(of(body)), Option::clone)
    }
}
