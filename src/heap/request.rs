//! One request, from the fast path to the region; how that refuses is in `region/request.rs`.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::base::size_class::{Class, GRANULE_BYTES};
use crate::region::shards::OwnedShard;
use crate::region::{Asked, OwnIdle, RegionReservation, Section, Wanted};

use super::inner::{Caches, Inner};
use super::shard::Shard;

/// The shard of the calling thread, or one that is claimed, as its region sees it.
struct OwnShard<'a> {
    inner: &'a Inner,
    own: Option<(&'a Caches, &'a Shard)>,
}

impl OwnIdle for OwnShard<'_> {
    fn holder(&self) -> Option<usize> {
        Some(self.own.map_or(0, |(_, shard)| core::ptr::from_ref(shard).addr()))
    }

    fn is_pending(&self) -> bool {
        self.own.is_some_and(|(_, shard)| !shard.pocket.is_empty())
    }

    fn give_back_pending(&mut self, section: &mut Section<'_>) {
        if let Some((_, shard)) = self.own {
            self.inner.give_back_pocket(section, shard);
        }
    }

    fn give_back(&mut self, section: &mut Section<'_>) -> bool {
        self.inner.give_back_own(section, self.own)
    }
}

impl Inner {
    /// Bytes usable in a block for `layout`: its class's, or the size rounded up to the granule.
    #[inline]
    pub(super) fn usable(&self, layout: Layout) -> usize {
        match Class::of(layout, self.longest) {
            Some(class) => class.bytes(),
            None => layout.size().next_multiple_of(GRANULE_BYTES),
        }
    }

    /// What a block for `layout` takes from the region; none if no region has that much.
    pub(super) fn wanted_for(&self, layout: Layout) -> Option<Wanted> {
        self.wanted(Class::of(layout, self.longest), layout)
    }

    /// As [`Inner::wanted_for`], for a layout whose class is known.
    fn wanted(&self, class: Option<Class>, layout: Layout) -> Option<Wanted> {
        match class {
            Some(class) => Some(Wanted::of(class.granules(), layout)),
            None if layout.size() > self.region.capacity() => None,
            None => Wanted::new(layout.size(), layout),
        }
    }

    // ---- alloc ----------------------------------------------------------------------------------------------------

    /// A block for `layout`, whose size is not zero.
    #[inline(always)]
    pub(crate) fn alloc_in(&self, shard: &Shard, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if let Some(class) = Class::of(layout, self.longest)
            && let Some(granule) = shard.pop(class)
        {
            // A shard that something was popped from is a real one.
            if cfg!(feature = "stats") {
                shard.count_alloc(layout.size());
            }
            return Ok(self.address(granule));
        }
        self.alloc_cold(shard, layout)
    }

    #[cold]
    #[inline(never)]
    fn alloc_cold(&self, shard: &Shard, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let (class, caches) = (Class::of(layout, self.longest), self.caches());
        let shard = if shard.is_none() { self.try_adopt() } else { shard };
        let own = caches.filter(|_| !shard.is_none()).map(|caches| (caches, shard));
        let popped = match (class, own) {
            (Some(class), Some((caches, shard))) => shard.pop(class).or_else(|| self.refill(caches, shard, class)),
            _ => None,
        };
        let granule = if let Some(granule) = popped {
            granule
        } else {
            let granule = self.take_wanted(own, self.wanted(class, layout), layout, 0)?;
            own.inspect(|(_, shard)| shard.set_served(shard.served() + layout.size()));
            granule
        };
        self.count_alloc(shard, layout.size());
        Ok(self.address(granule))
    }

    /// One extent as `wanted`, for a request for `layout` of which `drawn` bytes are charged to a reservation.
    pub(super) fn take_wanted(
        &self,
        own: Option<(&Caches, &Shard)>,
        wanted: Option<Wanted>,
        layout: Layout,
        drawn: usize,
    ) -> Result<u32, AllocError> {
        let Some(wanted) = wanted else {
            return Err(self.region.section(|section| section.refuse_outright(self, layout)));
        };
        self.region.take_or_refuse(self, Wanted { drawn, ..wanted }, &mut OwnShard { inner: self, own }, |_, _| ())
    }

    /// Gives back the pocket of `own`, or magazines of at most 60 blocks together. The shard is the calling thread's or
    /// claimed. Returns `false` if it holds neither.
    pub(super) fn give_back_own(&self, section: &mut Section<'_>, own: Option<(&Caches, &Shard)>) -> bool {
        let Some((caches, shard)) = own else { return false };
        shard.set_served(0);
        if self.give_back_pocket(section, shard) {
            return true;
        }
        let (nodes, mut class, mut most, mut gave_back) = (&caches.depot.nodes, 0, u32::MAX, false);
        while let Some(node) = shard.take_from(nodes, &mut class, most) {
            most = most.min(Self::BLOCKS_A_SECTION).saturating_sub(nodes.get(node).len());
            self.give_back_node(caches, section, node);
            gave_back = true;
        }
        gave_back
    }

    /// `bytes` more could not be had beside a block that cannot move: gives back one idle block or magazine that may be
    /// its neighbour. `false` if there is none, or none would do.
    pub(super) fn make_room_beside(&self, shard: &Shard, bytes: usize, asked: &mut Asked) -> bool {
        let own = self.made().filter(|_| !shard.is_none()).map(|caches| (caches, shard));
        self.region.make_room_beside(self, bytes, &mut OwnShard { inner: self, own }, asked)
    }

    /// One extent for `layout` out of a reservation.
    pub(super) fn take_reserved(
        &self,
        reservation: &mut RegionReservation,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let caches = self.caches();
        let shard = self.shard();
        let own = caches.filter(|_| !shard.is_none()).map(|caches| (caches, shard));
        let wanted = self.wanted_for(layout);
        let bytes = wanted.map_or(0, |wanted| wanted.len as usize * GRANULE_BYTES);
        let drawn = reservation.remaining().min(bytes);
        let granule = self.take_wanted(own, wanted, layout, drawn)?;
        reservation.draw(drawn);
        self.count_alloc(Shard::none(), layout.size());
        Ok(self.address(granule))
    }
}
