//! Slow paths of a class: swap with the previous magazine, trade with the depot, then the region, many blocks at once.
//!
//! - INV-heap.magazines-1: `leased = Σ lease` of the nodes in shards and on full stacks; while an operation is under
//!   way `leased` is the larger side: granted before it is filled, returned after it is emptied.
//! - INV-heap.magazines-2: a shard records the pressure it acts upon before any grant of that pass: a lease taken
//!   beside the beginning of pressure is returned at the shard's next slow path.
//!
//! Bounds: a shard grows a magazine while the new lease is at most an eighth of what it may still take; the depot
//! accepts while the leases stay within three quarters of the slack, so a thread that only frees cannot starve the
//! others; a shard above twice its share closes its previous magazine, at slow paths only.
//!
//! Under pressure a shard begins without magazines. Once it was served [`Inner::CALM_BYTES`] without having to give
//! anything back, it opens some again, and may hold the more the longer that goes on: requests are refused in bursts,
//! between which there is room. The first request that finds none gives them all back.

use crate::base::extent::Extent;
use crate::base::size_class::Class;
use crate::depot::magazine::{NodeRef, NodeSize, lease_bytes};
use crate::region::Section;
use crate::region::shards::OwnedShard;
use crate::thread;

use super::inner::{Caches, Inner};
use super::pocket;
use super::shard::Shard;

impl Inner {
    // ---- leases ---------------------------------------------------------------------------------------------------

    /// Bytes that `shard` may hold idle: its share of the slack. Under pressure, beside its pocket, a quarter of what
    /// it was served since it last had to give something back, a sixteenth of the slack at most.
    pub(crate) fn share(&self, caches: &Caches, shard: &Shard, pressed: bool) -> usize {
        let most = self.region.share(&self.budget, caches.shards.count());
        if !pressed {
            return most;
        }
        let part = self.budget.slack().min(self.region.budget().slack()) / 16;
        most.min(part.min(shard.served() / 4) + shard.pocket.lease())
    }

    /// Leases `bytes` for `shard`, which may hold `most`, under both limits.
    pub(crate) fn grant(&self, shard: &Shard, most: usize, bytes: usize) -> bool {
        if shard.held() + bytes > most || !self.region.grant(&self.budget, bytes) {
            return false;
        }
        shard.hold(bytes);
        true
    }

    pub(crate) fn end_lease(&self, bytes: usize) {
        self.region.end_lease(&self.budget, bytes);
    }

    /// Blocks in a class's first magazine. Under pressure magazines are closed often, and begin as long as the shard
    /// may have them by then.
    fn first_capacity(shard: &Shard, most: usize, class: Class, pressed: bool) -> u32 {
        let first = class.first_capacity();
        if !pressed {
            return first;
        }
        let cap = most.saturating_sub(shard.held()) / 16 / class.bytes();
        u32::try_from(cap).unwrap_or(u32::MAX).min(class.most_capacity() / 2).max(first)
    }

    /// An empty magazine for `cap` blocks, halved as often as its lease is denied.
    fn open(&self, caches: &Caches, shard: &Shard, most: usize, class: Class, cap: u32) -> Option<NodeRef> {
        let mut cap = cap;
        while cap > 0 {
            let lease = lease_bytes(class, cap);
            if self.grant(shard, most, lease) {
                let Some(node) = caches.depot.take_node(cap) else {
                    shard.release(lease);
                    self.end_lease(lease);
                    return None;
                };
                caches.depot.nodes.get(node).open(class, cap);
                return Some(node);
            }
            cap /= 2;
        }
        None
    }

    /// Doubles the loaded magazine, if its lease may grow.
    fn grow_magazine(&self, caches: &Caches, shard: &Shard, most: usize, class: Class, pressed: bool) -> bool {
        let (nodes, depot) = (&caches.depot.nodes, &caches.depot);
        let loaded = shard.loaded(class);
        let cap = nodes.get(loaded).cap();
        let wider = (2 * cap).min(class.most_capacity());
        let more = lease_bytes(class, wider).saturating_sub(lease_bytes(class, cap));
        let may_take = most.saturating_sub(shard.held());
        let part = if pressed { 4 } else { 8 };
        if wider == cap || lease_bytes(class, wider) > may_take / part {
            return false;
        }
        // A wider magazine may need the larger node: take it first, so that a failure has nothing to undo.
        let moved = NodeSize::for_capacity(wider) != loaded.size();
        let target = if moved { depot.take_node(wider) } else { Some(loaded) };
        let Some(target) = target else { return false };
        if !self.grant(shard, most, more) {
            if moved {
                depot.give_node(target);
            }
            return false;
        }
        shard.unload(nodes, class);
        if moved {
            let (from, to) = (nodes.get(loaded), nodes.get(target));
            to.open(class, wider);
            for (slot, new) in from.slots.iter().zip(to.slots).take(from.len() as usize) {
                new.set(slot.get());
            }
            to.set_len(from.len());
            depot.give_node(loaded);
        } else {
            nodes.get(target).set_cap(wider);
        }
        shard.load(nodes, class, target);
        true
    }

    // ---- closing --------------------------------------------------------------------------------------------------

    /// Gives the blocks of `node`, which the caller holds, back to the index; gives the lease that then ends.
    pub(super) fn empty_node(&self, caches: &Caches, section: &mut Section<'_>, node: NodeRef) -> usize {
        let at = caches.depot.nodes.get(node);
        at.enter();
        let lease = at.lease();
        let class = Class::from_index(at.class());
        for slot in &at.slots[..at.len() as usize] {
            if section.give_back(&self.budget, Extent::new(slot.get(), class.granules())).is_err() {
                self.count_invalid();
            }
        }
        at.set_len(0);
        lease
    }

    /// Ends the lease of an emptied node and spares it.
    pub(super) fn end_node(&self, caches: &Caches, node: NodeRef, lease: usize) {
        self.end_lease(lease);
        caches.depot.give_node(node);
    }

    /// Gives back magazines that the caller holds and whose leases no shard holds any more, all in one section.
    fn close(&self, caches: &Caches, magazines: &[NodeRef]) {
        let nodes = &caches.depot.nodes;
        let lease: usize = magazines.iter().map(|node| nodes.get(*node).lease()).sum();
        // Empty ones need no lock.
        if magazines.iter().any(|node| nodes.get(*node).len() > 0) {
            self.region.section(|section| {
                for node in magazines {
                    self.empty_node(caches, section, *node);
                }
            });
        }
        // After the section: the blocks are in the index before their lease can be granted again.
        self.end_lease(lease);
        for node in magazines {
            nodes.get(*node).enter();
            caches.depot.give_node(*node);
        }
    }

    fn close_previous(&self, caches: &Caches, shard: &Shard, class: Class) {
        let previous = shard.previous(class);
        if !previous.is_none() {
            shard.set_previous(class, NodeRef::NONE);
            self.close_released(caches, shard, class, previous);
        }
    }

    fn close_released(&self, caches: &Caches, shard: &Shard, class: Class, node: NodeRef) {
        shard.release(lease_bytes(class, caches.depot.nodes.get(node).cap()));
        self.close(caches, &[node]);
    }

    /// Closes the pocket and every magazine of the shard, up to 60 blocks a section.
    pub(crate) fn close_all(&self, caches: &Caches, shard: &Shard) {
        let nodes = &caches.depot.nodes;
        if !shard.pocket.is_empty() {
            self.region.section(|section| self.give_back_pocket(section, shard));
        }
        self.close_pocket(shard);
        let mut class = 0;
        loop {
            let mut part = [NodeRef::NONE; Self::CLOSED_AT_ONCE];
            let (mut count, mut most) = (0, u32::MAX);
            while count < part.len()
                && let Some(node) = shard.take_from(nodes, &mut class, most)
            {
                most = most.min(Self::BLOCKS_A_SECTION).saturating_sub(nodes.get(node).len());
                part[count] = node;
                count += 1;
            }
            if count == 0 {
                return;
            }
            self.close(caches, &part[..count]);
        }
    }

    /// Magazines closed at once, and blocks that they may have together.
    const CLOSED_AT_ONCE: usize = 16;
    pub(super) const BLOCKS_A_SECTION: u32 = 60 - pocket::MOST;

    /// Served so many bytes under pressure since it last had to give something back, a shard caches again.
    const CALM_BYTES: usize = if cfg!(all(test, loom)) { usize::MAX } else { 8 * 1024 };

    /// Acts upon a change of pressure; says whether there is pressure.
    pub(super) fn react_to_pressure(&self, caches: &Caches, shard: &Shard) -> bool {
        let pressure = self.budget.pressure_with(self.region.budget());
        if pressure.value != shard.seen() {
            shard.set_seen(pressure.value);
            shard.set_served(0);
            self.close_all(caches, shard);
        }
        pressure.on
    }

    // ---- alloc ----------------------------------------------------------------------------------------------------

    /// A block of `class` when the loaded magazine is empty or absent; none if the region has to be asked for one
    /// block.
    pub(super) fn refill(&self, caches: &Caches, shard: &Shard, class: Class) -> Option<u32> {
        let (nodes, depot) = (&caches.depot.nodes, &caches.depot);
        shard.enter();
        let pressed = self.react_to_pressure(caches, shard);
        if pressed && shard.served() < Self::CALM_BYTES {
            return None;
        }
        let previous = shard.previous(class);
        if !previous.is_none() && nodes.get(previous).len() > 0 {
            shard.swap(nodes, class);
            return shard.pop(class);
        }
        let most = self.share(caches, shard, pressed);
        if let Some(full) = depot.pop_full(class) {
            // From now on the thread may hold something idle, as after a grant.
            thread::set_look(None);
            shard.hold(lease_bytes(class, nodes.get(full).cap()));
            let old = shard.unload(nodes, class);
            shard.load(nodes, class, full);
            if !old.is_none() {
                if previous.is_none() && shard.held() <= most {
                    shard.set_previous(class, old);
                } else {
                    self.close_released(caches, shard, class, old);
                }
            }
            return shard.pop(class);
        }
        if shard.loaded(class).is_none() {
            let node = self.open(caches, shard, most, class, Self::first_capacity(shard, most, class, pressed))?;
            shard.load(nodes, class, node);
        } else if shard.held() > 2 * most {
            self.close_previous(caches, shard, class);
        } else {
            self.grow_magazine(caches, shard, most, class, pressed);
        }
        let cap = nodes.get(shard.loaded(class)).cap();
        let want = if pressed { cap } else { (cap / 2).max(1) } as usize;
        let (granules, align) = (class.granules(), class.align_granules());
        let taken = self.region.section(|section| {
            section.take_run(&self.budget, granules, align, want, |granule| {
                shard.fill(class, core::iter::once(granule));
            })
        });
        shard.set_served(shard.served() + taken * class.bytes());
        shard.pop(class)
    }

    // ---- free -----------------------------------------------------------------------------------------------------

    /// Keeps a freed block of `class` when the loaded magazine is full or absent, under pressure only `in_pocket`;
    /// `false` if the caller has to give it back to the index.
    pub(super) fn keep(&self, caches: &Caches, shard: &Shard, class: Class, granule: u32, in_pocket: bool) -> bool {
        let nodes = &caches.depot.nodes;
        shard.enter();
        if self.react_to_pressure(caches, shard) {
            // Others may wait for what is freed: it is kept only for the thread's own next request.
            return in_pocket && self.keep_in_pocket(caches, shard, Extent::new(granule, class.granules()));
        }
        let (loaded, most) = (shard.loaded(class), self.share(caches, shard, false));
        if loaded.is_none() {
            let Some(node) = self.open(caches, shard, most, class, class.first_capacity()) else { return false };
            shard.load(nodes, class, node);
            return shard.push(class, granule);
        }
        let previous = shard.previous(class);
        if !previous.is_none() && nodes.get(previous).len() < nodes.get(previous).cap() {
            shard.swap(nodes, class);
            return shard.push(class, granule);
        }
        let above_twice = || shard.held() > 2 * most;
        if above_twice() {
            self.close_previous(caches, shard, class);
        }
        let previous = shard.previous(class);
        if previous.is_none()
            && let Some(node) = self.open(caches, shard, most, class, nodes.get(loaded).cap())
        {
            shard.set_previous(class, node);
            shard.swap(nodes, class);
        } else {
            let trade = || !previous.is_none() && self.trade(caches, shard, most, class, previous);
            let made_room = !above_twice() && (self.grow_magazine(caches, shard, most, class, false) || trade());
            if !made_room {
                self.give_back_some(caches, shard, class, previous);
            }
        }
        shard.push(class, granule)
    }

    /// Pushes the full previous magazine to the depot and loads an empty one in its stead.
    fn trade(&self, caches: &Caches, shard: &Shard, most: usize, class: Class, previous: NodeRef) -> bool {
        let nodes = &caches.depot.nodes;
        let cap = nodes.get(previous).cap();
        let lease = lease_bytes(class, cap);
        let bounded =
            |budget: &crate::region::budget::Budget| budget.leased().saturating_add(lease) <= budget.slack() / 4 * 3;
        if !bounded(&self.budget) || !bounded(self.region.budget()) {
            return false;
        }
        let Some(empty) = self.open(caches, shard, most, class, cap) else { return false };
        shard.release(lease);
        shard.set_previous(class, empty);
        nodes.get(previous).enter();
        self.push_full(class, previous);
        shard.swap(nodes, class);
        true
    }

    /// Pushes a full magazine, whose lease no shard holds, to the depot.
    pub(crate) fn push_full(&self, class: Class, node: NodeRef) {
        if let Some(caches) = self.made() {
            caches.depot.push_full(class, node);
            self.region.raise_idled();
        }
    }

    /// Both magazines are full and nothing may grow: empties the previous one, or the lower half of the loaded one.
    fn give_back_some(&self, caches: &Caches, shard: &Shard, class: Class, previous: NodeRef) {
        let nodes = &caches.depot.nodes;
        self.region.section(|section| {
            if previous.is_none() {
                let half = shard.loaded_len(class).div_ceil(2);
                shard.take_lowest(nodes, class, half, |granule| {
                    if section.give_back(&self.budget, Extent::new(granule, class.granules())).is_err() {
                        self.count_invalid();
                    }
                });
            } else {
                self.empty_node(caches, section, previous);
            }
        });
        if !previous.is_none() {
            shard.swap(nodes, class);
        }
    }
}
