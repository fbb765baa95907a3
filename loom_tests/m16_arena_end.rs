//! Model 16: a thread ends with a chunk half used while others look for memory, and for a shard; an arena goes while a
//! heap of its region looks for memory.
//!
//! What breaks it is listed in model 9: `end`'s first Release and `is_dead`'s Acquire (adopted), `unpin`'s Release and
//! `is_pinned`'s Acquire (local), `end`'s second Release and `exits`' Acquire (exact), `thread.local-not-counted`
//! (local), `thread.adopt-outside-lock` (adopt, sweep), `thread.exit-before-generation` (exact). Further
//! `refusal.dead-shards-skipped` (all sweeps) and `refusal.own-depot-only` (heap own).

use std::sync::Mutex;

use super::support::arenas::{GRANULE, Ground};
use super::support::harness::{BOUNDED, HEAVY, SMALL, explore};
use super::support::threads::Count;
use crate::arena::Arena;
use crate::bump::blocks::Blocks;
use crate::sync::Arc;
use crate::thread::by_hand;

/// Bytes of a chunk: three blocks of one granule, and its node.
const CHUNK: usize = 64;

/// An arena of one shard; all memory is one chunk.
fn one_chunk() -> Ground {
    Ground::new(1, CHUNK, CHUNK / GRANULE)
}

/// Keeps one block, and writes to another before it gives that back.
fn use_chunk(ground: &Ground, blocks: &impl Blocks) -> bool {
    let kept = ground.alloc_from(blocks, GRANULE);
    if kept.is_some()
        && let Some(block) = ground.alloc_from(blocks, GRANULE)
    {
        ground.free_to(blocks, block);
    }
    kept.is_some()
}

/// Uses a chunk of its own, and ends.
fn use_and_end(ground: &Ground) {
    use_chunk(ground, &ground.arena().blocks());
    ground.set_ready();
    ground.end();
}

// ---- swept ------------------------------------------------------------------------------------------------------

/// A thread without a shard is given the rest of the chunk.
#[test]
fn m16_end_sweep() {
    static SWEPT: Count = Count::new();
    let asks = |ground: &Ground| {
        by_hand::set_late(true);
        if ground.is_ready() {
            SWEPT.hit_if(ground.alloc(GRANULE).is_some() && ground.was_left());
        }
    };
    explore("m16_arena_end::end_sweep", BOUNDED, one_chunk, &[use_and_end, asks], |_| ());
    SWEPT.happened("served from an ended thread's chunk");
}

/// Whoever knows of the end is not refused, in the heap of the same region, though another may sweep beside it,
/// before or at once: two granules are left, one for each.
#[test]
fn m16_exact() {
    static SERVED: Count = Count::new();
    static REFUSED: Count = Count::new();
    fn asks(ground: &Ground) {
        by_hand::set_late(true);
        if ground.is_ready() {
            let knows = ground.told() == 2;
            let served = ground.heap_keep(GRANULE).is_some();
            assert!(served || !knows, "refused beside the chunk of a thread known to have ended");
            SERVED.hit_if(knows);
            REFUSED.hit_if(!served);
        }
    }
    let ends = |ground: &Ground| {
        assert!(use_chunk(ground, &ground.arena().blocks()), "a chunk is free");
        ground.set_ready();
        ground.end();
        ground.tell(1);
    };
    explore("m16_arena_end::exact", BOUNDED, one_chunk, &[ends, asks, asks], |_| ());
    SERVED.happened("served after the end");
    REFUSED.happened("refused before it was known");
}

// ---- adopted ----------------------------------------------------------------------------------------------------

/// Another thread goes on with the shard and its chunk.
fn go_on(ground: &Ground, went_on: &Count) {
    if ground.is_ready() && ground.arena().has_shard() {
        let had = ground.arena().held() == CHUNK;
        let block = ground.alloc(GRANULE);
        went_on.hit_if(had && block.is_some());
    }
}

#[test]
fn m16_end_adopt() {
    static WENT_ON: Count = Count::new();
    let adopts = |ground: &Ground| go_on(ground, &WENT_ON);
    explore("m16_arena_end::end_adopt", BOUNDED, one_chunk, &[use_and_end, adopts], |_| ());
    WENT_ON.happened("went on with an ended thread's chunk");
}

#[test]
fn m16_adopt_sweep() {
    static WENT_ON: Count = Count::new();
    static SWEPT: Count = Count::new();
    let adopts = |ground: &Ground| go_on(ground, &WENT_ON);
    let sweeps = |ground: &Ground| {
        by_hand::set_late(true);
        if ground.is_ready() {
            SWEPT.hit_if(ground.heap_keep(GRANULE).is_some() && ground.was_left());
        }
    };
    explore("m16_arena_end::adopt_sweep", HEAVY, one_chunk, &[use_and_end, adopts, sweeps], |_| ());
    WENT_ON.happened("went on with an ended thread's chunk");
    SWEPT.happened("served from an ended thread's chunk");
}

// ---- a local that outlives its thread's token -------------------------------------------------------------------

/// Uses a local handle, ends, and uses it again; counts that.
fn outlive(ground: &Ground, late: &Count) {
    let local = ground.arena().local();
    use_chunk(ground, &local.blocks());
    ground.set_ready();
    ground.end();
    late.hit_if(ground.alloc_from(&local.blocks(), GRANULE).is_some());
    drop(local);
}

#[test]
fn m16_local_sweep() {
    static LATE: Count = Count::new();
    static SWEPT: Count = Count::new();
    let local = |ground: &Ground| outlive(ground, &LATE);
    let sweeps = |ground: &Ground| {
        by_hand::set_late(true);
        if ground.is_ready() {
            SWEPT.hit_if(ground.heap_keep(GRANULE).is_some() && ground.was_left());
        }
    };
    explore("m16_arena_end::local_sweep", BOUNDED, one_chunk, &[local, sweeps], |_| ());
    LATE.happened("used after the token's end");
    SWEPT.happened("served with what the local had left");
}

#[test]
fn m16_local_adopt() {
    static LATE: Count = Count::new();
    static WENT_ON: Count = Count::new();
    let local = |ground: &Ground| outlive(ground, &LATE);
    let adopts = |ground: &Ground| go_on(ground, &WENT_ON);
    explore("m16_arena_end::local_adopt", BOUNDED, one_chunk, &[local, adopts], |_| ());
    LATE.happened("used after the token's end");
    WENT_ON.happened("went on with the local's chunk");
}

// ---- not refused beside it --------------------------------------------------------------------------------------

/// A thread's request in the heap is given what its own chunk has idle; another thread may be faster.
#[test]
fn m16_heap_own() {
    static GIVEN: Count = Count::new();
    let uses_both = |ground: &Ground| {
        let block = ground.alloc(GRANULE);
        let had = ground.arena().held() > 0;
        let served = ground.heap_keep(2 * GRANULE).is_some();
        GIVEN.hit_if(had && served);
        if block.is_some() && served {
            ground.tell(1);
        }
    };
    let asks = |ground: &Ground| {
        by_hand::set_late(true);
        if ground.heap_keep(2 * GRANULE).is_some() {
            ground.tell(2);
        }
    };
    explore("m16_arena_end::heap_own", BOUNDED, one_chunk, &[uses_both, asks], |ground| {
        assert_ne!(ground.told(), 0, "one of both is served");
    });
    GIVEN.happened("the heap was given what the arena had idle");
}

// ---- dropped ----------------------------------------------------------------------------------------------------

/// A ground, and a second arena in its region of which every handle is here, for the role that takes it.
struct Two {
    ground: Ground,
    handles: Mutex<Vec<Arc<Arena>>>,
}

impl Two {
    fn new() -> Self {
        let ground = one_chunk();
        let arena = Arc::new(Arena::with_shards(&ground.region, 1, CHUNK));
        Self { ground, handles: Mutex::new(vec![Arc::clone(&arena), arena]) }
    }

    /// A handle that is this role's from now on. The lock is not loom's: which of the equal handles a role takes does
    /// not matter.
    fn take_handle(&self) -> Arc<Arena> {
        self.handles.lock().expect("no role panics with it").pop().expect("a handle for each role")
    }
}

/// Two handles are dropped by two threads, one of which has used the arena and ends; a third is refused meanwhile in
/// the heap of the region.
#[test]
fn m16_drop() {
    static USED: Count = Count::new();
    static SERVED: Count = Count::new();
    let uses = |two: &Two| {
        let arena = two.take_handle();
        let block = two.ground.alloc_from(&arena.blocks(), GRANULE);
        USED.hit_if(arena.held() > 0);
        by_hand::end();
        // It goes with the arena.
        if let Some(block) = block {
            two.ground.put_down(block);
        }
        drop(arena);
    };
    let drops = |two: &Two| drop(two.take_handle());
    let asks = |two: &Two| {
        by_hand::set_late(true);
        SERVED.hit_if(two.ground.heap_keep(3 * GRANULE).is_some());
    };
    explore("m16_arena_end::drop", BOUNDED, Two::new, &[uses, drops, asks], |_| ());
    USED.happened("the arena was used before it went");
    SERVED.happened("served in the heap");
}

/// The last handle may be dropped by another thread than the arena's user, who lives.
#[test]
fn m16_drop_elsewhere() {
    static USED: Count = Count::new();
    static SERVED: Count = Count::new();
    let uses = |two: &Two| {
        let arena = two.take_handle();
        if let Some(block) = two.ground.alloc_from(&arena.blocks(), GRANULE) {
            two.ground.put_down(block);
            USED.hit();
        }
        drop(arena);
    };
    let drops = |two: &Two| {
        drop(two.take_handle());
        SERVED.hit_if(two.ground.heap_keep(CHUNK).is_some());
    };
    explore("m16_arena_end::drop_elsewhere", SMALL, Two::new, &[uses, drops], |_| ());
    USED.happened("the arena was used before it went");
    SERVED.happened("served with what the arena had");
}
