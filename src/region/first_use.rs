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

use super::{Client, Region};

/// See the module's header.
pub(crate) struct FirstUse<B> {
    /// Held by the thread that makes the body, which takes the region along.
    making: Mutex<Given>,
    body: OnceLock<Box<B>>,
}

/// What the body is made with.
struct Given {
    /// The region to share, or none: one as large as the machine's memory.
    region: Option<Region>,
    /// The client's own limit.
    limit: usize,
}

impl<B> FirstUse<B> {
    /// Nothing yet; later a body in `region`, or in a region of its own, that may take `limit` bytes from it.
    pub(crate) fn new(region: Option<Region>, limit: usize) -> Self {
        Self { making: Mutex::new(Given { region, limit }), body: OnceLock::new() }
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
}

impl<B: Client> FirstUse<B> {
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
        self.making.with(|given| {
            if let Some(body) = self.made() {
                return Ok(body);
            }
            let body = try_box(make(given.region.clone().map_or_else(Region::machine, Ok)?)?)?;
            if given.limit < usize::MAX {
                body.set_limit(given.limit);
            }
            given.region = None;
            let body = &**self.body.get_or_init(|| body);
            after(body);
            Ok(body)
        })
    }

    /// What `made` says of the body, or, if it was not made yet, `given` of the region and the limit to come.
    fn look<R>(&self, made: impl Fn(&B) -> R, given: impl FnOnce(Option<&Region>, usize) -> R) -> R {
        let body = || self.made().map(&made);
        // The maker takes the region along: a thread that waited for it looks again.
        body().unwrap_or_else(|| {
            self.making.with(|Given { region, limit }| body().unwrap_or_else(|| given(region.as_ref(), *limit)))
        })
    }

    /// Returns the region that was given, or that of the body.
    pub(crate) fn region(&self) -> Option<Region> {
        self.look(|body| Some(body.region().clone()), |region, _| region.cloned())
    }

    /// Returns the own limit, or the region's if that is lower and there is a region yet.
    pub(crate) fn limit(&self) -> usize {
        self.look(Client::limit, |region, limit| region.map_or(limit, |region| region.limit().min(limit)))
    }

    /// Changes the own limit, of a body yet to be made too.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.making.with(|given| match self.made() {
            Some(body) => body.set_limit(bytes),
            None => given.limit = bytes,
        });
    }

    /// Returns the bytes taken from the region.
    pub(crate) fn usage(&self) -> usize {
        self.made().map_or(0, |body| body.budget().usage())
    }

    /// Returns the greatest usage so far.
    pub(crate) fn peak(&self) -> usize {
        self.made().map_or(0, |body| body.budget().peak())
    }
}
