//! `Depot`: where full magazines change threads. One lock-free stack of full magazines per class, one stack of spare
//! nodes per node size.
//!
//! A head is one word `{tag: 40 bits, node: 24 bits}`. Every change of a head is an exchange that raises its tag, so a
//! thread that slept between its load and its exchange fails unless it slept through 2^40 changes.
//!
//! - INV-depot-1: what a stack holds is what was pushed and not yet popped, each node once.
//! - INV-depot-2: a node on a full stack is full or was given up as it was, and carries its lease; a spare node has
//!   none.
//!
//! The stacks are Treiber's (1986) with counted heads (Michael and Scott 1996); the use is Bonwick and Adams' (2001).
//! Deliberately not here: a bound. Whoever pushes checks the leases; there is no count per class.

pub(crate) mod magazine;

use crate::base::size_class::{COUNT, Class};
use crate::base::system::SystemRefusal;
use crate::sync::{Acquire, AtomicU64, AtomicUsize, CachePadded, Relaxed, Release};

use magazine::{Node, NodeRef, NodeSize, Nodes};

/// The head of a stack of nodes; zero is an empty one.
#[derive(Debug, Default)]
pub(crate) struct Head(AtomicU64);

fn node_of(word: u64) -> NodeRef {
    NodeRef::from_bits((word & ((1 << NodeRef::BITS) - 1)) as u32)
}

/// The word that follows `word` with `node` on top.
fn successor(word: u64, node: NodeRef) -> u64 {
    let tag = (word >> NodeRef::BITS).wrapping_add(1);
    tag << NodeRef::BITS | u64::from(node.bits())
}

impl Head {
    /// Puts `node`, which the caller holds, on top.
    pub(crate) fn push(&self, nodes: &Nodes, node: NodeRef) {
        let mut head = self.0.load(Relaxed);
        loop {
            nodes.get(node).set_next(node_of(head));
            // ORDERING(Release): slots, len, cap, `next` and what the freers wrote to the blocks precede the head.
            //   pairs: `pop`'s two Acquires.  loom: m03_contents_are_seen; Relaxed fails it.
            // Failure is Relaxed: nothing is read through the value, the next exchange re-validates it.
            match self.0.compare_exchange_weak(head, successor(head, node), Release, Relaxed) {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes the top node; the caller becomes its holder.
    pub(crate) fn pop(&self, nodes: &Nodes) -> Option<NodeRef> {
        // ORDERING(Acquire): the pusher's writes to the node are seen.
        //   pairs: `push`'s Release.  loom: m03_contents_are_seen; Relaxed fails it.
        let mut head = self.0.load(Acquire);
        loop {
            let top = node_of(head);
            if top.is_none() {
                return None;
            }
            let next = nodes.get(top).next();
            // Success is Relaxed: the head was acquired when it was read, and as every change of a head is an exchange,
            // the release sequence of each push goes on through this one.
            // ORDERING(Acquire) on failure: as on the first load, for another node.
            //   pairs: `push`'s Release.  loom: m03_retry_sees_contents; Relaxed fails it.
            match self.0.compare_exchange_weak(head, successor(head, next), Relaxed, Acquire) {
                Ok(_) => return Some(top),
                Err(seen) => head = seen,
            }
        }
    }

    /// Whether the stack was empty just now.
    pub(crate) fn is_empty(&self) -> bool {
        node_of(self.0.load(Relaxed)).is_none()
    }
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Depot {
    pub(crate) nodes: Nodes,
    full: [Head; COUNT],
    spare: CachePadded<[Head; 2]>,
    /// At least the number of full magazines: counted before the push and after the pop. Relaxed is right: whoever is
    /// ordered after a push is ordered after its count.
    full_count: CachePadded<AtomicUsize>,
}

impl Depot {
    /// A depot whose magazines carry up to `slack` bytes of lease.
    ///
    /// # Errors
    /// The operating system's or the global allocator's refusal.
    pub(crate) fn reserve(slack: usize) -> Result<Self, SystemRefusal> {
        Ok(Self {
            nodes: Nodes::reserve(slack)?,
            full: core::array::from_fn(|_| Head::default()),
            spare: CachePadded::default(),
            full_count: CachePadded::default(),
        })
    }

    /// A node for a magazine of `cap` blocks, which the caller then holds. It is not open yet.
    pub(crate) fn take_node(&self, cap: u32) -> Option<NodeRef> {
        let size = NodeSize::for_capacity(cap);
        let node = self.spare[size as usize].pop(&self.nodes).or_else(|| self.nodes.take_fresh(size))?;
        self.nodes.get(node).enter();
        Some(node)
    }

    /// Takes back a node without blocks or lease.
    pub(crate) fn give_node(&self, node: NodeRef) {
        self.nodes.get(node).close();
        self.spare[node.size() as usize].push(&self.nodes, node);
    }

    pub(crate) fn push_full(&self, class: Class, node: NodeRef) {
        self.full_count.fetch_add(1, Relaxed);
        self.full[class.index()].push(&self.nodes, node);
    }

    pub(crate) fn pop_full(&self, class: Class) -> Option<NodeRef> {
        self.pop_from(&self.full[class.index()])
    }

    fn pop_from(&self, head: &Head) -> Option<NodeRef> {
        let node = head.pop(&self.nodes)?;
        self.full_count.fetch_sub(1, Relaxed);
        self.nodes.get(node).enter();
        Some(node)
    }

    /// A full magazine of any class.
    pub(crate) fn pop_any(&self) -> Option<NodeRef> {
        // Refused requests come by here again and again: one word instead of a head per class.
        if self.full_count.load(Relaxed) == 0 {
            return None;
        }
        self.full.iter().find_map(|head| if head.is_empty() { None } else { self.pop_from(head) })
    }

    /// Calls `each` for every full magazine, taking them all out meanwhile, so that nobody else changes one. Inside the
    /// region's critical section, where no other thread can decide a refusal beside the empty stacks.
    pub(crate) fn for_each_full(&self, mut each: impl FnMut(Node<'_>)) {
        for head in &self.full {
            let mut taken = NodeRef::NONE;
            while let Some(node) = head.pop(&self.nodes) {
                let at = self.nodes.get(node);
                at.enter();
                each(at);
                at.set_next(taken);
                taken = node;
            }
            while !taken.is_none() {
                let node = taken;
                taken = self.nodes.get(node).next();
                head.push(&self.nodes, node);
            }
        }
    }
}
