//! What a region tells about itself: statistics, a snapshot of its extents, and the proof that no byte is lost.

use crate::base::error::VerifyError;
use crate::base::size_class::GRANULE_BYTES;
use crate::base::snapshot::{self, Snapshot};
use crate::base::stats::RegionStats;
use crate::best_fit::{BestFit, Touched};

use super::quarantine::Quarantine;
use super::{Region, Section, Shared};

/// Extents copied under one hold of the lock.
const COPY: usize = 1024;

fn expect(what: &'static str, offset: usize, expected: usize, found: usize) -> Result<(), VerifyError> {
    if expected == found { Ok(()) } else { Err(VerifyError { what, offset, expected, found }) }
}

impl Section<'_> {
    /// The figures, without those of the index's memory, and how far that was touched.
    fn stats(&mut self) -> (RegionStats, Touched) {
        let mut metadata_bytes = size_of::<Shared>();
        self.for_sets(|_, set| metadata_bytes += set.metadata_bytes());
        metadata_bytes += self.state.guard.as_ref().map_or(0, Quarantine::metadata_bytes);
        let (index, budget) = (&self.state.index, &self.shared.budget);
        let stats = RegionStats {
            capacity: self.shared.capacity,
            limit: budget.limit(),
            usage: budget.usage(),
            peak: budget.peak(),
            free: index.free() as usize * GRANULE_BYTES,
            largest_free: index.largest_free() as usize * GRANULE_BYTES,
            extents_used: index.used_extents(),
            extents_free: index.free_extents(),
            leased: budget.leased(),
            reserved: self.state.reserved,
            quarantined: self.quarantined(),
            index_bytes: 0,
            index_charged: self.state.index_charged,
            metadata_bytes,
        };
        (stats, index.touched())
    }

    /// Appends extents from granule `from` on while there is room; gives where to go on.
    fn copy_extents(&self, from: u32, extents: &mut Vec<snapshot::Extent>) -> Option<u32> {
        let mut at = from;
        while extents.len() < extents.capacity() {
            // What was joined with extents already copied is copied from there on only.
            let (extent, used) = self.state.index.around(at)?;
            let extent = extent.from(at);
            let (offset, len) = (extent.offset as usize * GRANULE_BYTES, extent.len as usize * GRANULE_BYTES);
            extents.push(snapshot::Extent::new(offset, len, used));
            at = extent.end();
        }
        Some(at)
    }

    fn verify_figures(&mut self) -> Result<(), VerifyError> {
        self.state.index.check_invariants()?;
        let usage = self.shared.budget.usage();
        let taken = (self.state.index.used() - self.state.trimming.map_or(0, |turn| turn.len)) as usize * GRANULE_BYTES
            + self.state.reserved
            + self.state.index_charged;
        expect("usage is what the index has handed out, and reservations", 0, taken, usage)?;
        let mut sum = self.state.reserved + self.state.index_charged + self.state.orphaned + self.quarantined();
        self.for_sets(|_, set| sum += set.budget().usage());
        expect("usage is the sum of its heaps', reservations, leaks and the quarantine", 0, sum, usage)
    }

    /// Every cached block is a live extent of its class's length, and cached once.
    fn verify_cached(&mut self, seen: &mut BestFit) -> Result<(), VerifyError> {
        let mut first = Ok(());
        self.for_sets(|section, set| {
            let mut cached = 0;
            set.for_cached(section, &mut |extent| {
                cached += extent.len as usize * GRANULE_BYTES;
                let offset = extent.offset as usize * GRANULE_BYTES;
                let len = section.state.index.len_of(extent.offset).unwrap_or(0);
                let once = seen.take_at(extent);
                first = first
                    .and(expect("a cached block is a live extent", offset, extent.len as usize, len as usize))
                    .and(expect("a block is cached once", offset, 1, usize::from(once)));
            });
            let usage = set.budget().usage();
            first = first.and(expect("a heap's caches are part of its usage", 0, cached.min(usage), cached));
        });
        first
    }
}

impl Region {
    /// Figures of one moment, except the index's bytes, which a few system calls find out after them. Takes the
    /// lock; visits each heap once, no extent.
    #[must_use]
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough over its lifetime")]
    pub fn stats(&self) -> RegionStats {
        let (mut stats, touched) = self.section(|section| section.stats());
        stats.index_bytes = self.shared.tables.resident_bytes(touched);
        stats.metadata_bytes += stats.index_bytes;
        stats
    }

    /// Copies the extents of the region, 1,024 under one hold of the lock, into memory allocated outside it.
    ///
    /// # Panics
    /// If the global allocator has no memory for the copy.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let stats = self.stats();
        let mut extents = Vec::with_capacity(stats.extents_used + stats.extents_free + 1);
        let mut at = Some(0);
        while let Some(from) = at {
            extents.reserve(1);
            let mut part = Vec::with_capacity(COPY);
            at = self.section(|section| section.copy_extents(from, &mut part));
            extents.append(&mut part);
        }
        Snapshot { capacity: stats.capacity, limit: stats.limit, usage: stats.usage, extents }
    }

    /// Proves that every byte of the region is in exactly one place: free, trimming, cached, quarantined, or handed
    /// out.
    ///
    /// For tests and debugging: gives back what ended threads have cached, then visits every extent under the lock,
    /// with memory for a second index. Blocks cached by other living threads are counted as handed out.
    ///
    /// # Errors
    /// The first thing found that does not hold, with its figures.
    pub fn verify(&self) -> Result<(), VerifyError> {
        self.sweep();
        let granules = u32::try_from(self.capacity() / GRANULE_BYTES).unwrap_or(u32::MAX);
        let out_of_memory = VerifyError { what: "no memory for a second index", offset: 0, expected: 1, found: 0 };
        let mut seen = BestFit::new(granules, 0).map_err(|_| out_of_memory)?;
        self.section(|section| section.verify_figures().and_then(|()| section.verify_cached(&mut seen)))
    }
}
