//! One bounded region of memory, shared by all threads: a hard byte limit that is never exceeded, exact figures, and
//! fast paths that take no lock and no atomic read-modify-write.
//!
//! ```text
//!  typed API      Arena · Local · Scratch · BumpRegion   alloc/     Box, Arc, Vec, String, HashMap in &Heap, &Arena
//!                     │                                                │                     boxed/, collections/
//!  per thread     shard: a chunk being bumped                      shard: two magazines per size class
//!                     │ plain load + store   arena/shard.rs            │ pop / push, plain memory  heap/shard.rs
//!                     │ no room              arena/refill.rs           │ both empty / both full    heap/magazines.rs
//!  shared,        the shared chunk: CAS      arena/shared.rs       depot: per class a lock-free stack of
//!  lock-free          │ exhausted                                      │ full magazines            depot/
//!                     └───────────────┬────────────────────────────────┘ many blocks per lock      heap/request.rs
//!  shared, locked region = Mutex<BestFit> + Budget                                       region/, best_fit/
//!                     │   whole extents for Pool, Interner, BlockArena    pool/, interner/, block_arena.rs
//!                     │   the only lock; exact best fit, coalescing, offsets only
//!  OS             mapping: reserve once, commit on touch, trim, huge pages               memory/
//! ```
//!
//! - [`Arena`]: bump allocation from any thread through one `&Arena`, freed all at once. What it hands out lives as
//!   long as the arena's borrow, whichever thread made it; [`Local`] skips the lookup; [`Scratch`] is one thread's
//!   arena, freed in stages; [`BumpRegion`] is memory of fixed size, one word to exchange.
//! - [`Heap`]: any size, freed one by one, by any thread, coalescing back into the region. `Send + Sync`; an
//!   [`Allocator`](allocator_api2::alloc::Allocator) for collections, which may be dropped on any thread.
//! - [`Pool`]: values of one type in slots, with keys that are never issued twice, guards that delay a removal and
//!   reservations; [`Interner`]: strings to dense numbers and back.
//! - [`boxed`] and [`collections`]: boxes, `Arc`s, vectors, texts and tables in any of them.
//! - [`Region`]: the memory, its limit and its figures; all of them may share one. In guard mode
//!   ([`RegionBuilder::guard_mode`]) a read of what was freed ends the program where it happens.
//! - [`BestFitArena`]: the region's index alone, over any memory, even memory that does not exist.
//!
//! The heap is Bonwick and Adams' *Magazines and Vmem* (USENIX 2001) over an exact best-fit region; the arena is
//! `RocksDB`'s `ConcurrentArena` without its locks and its waste. Who may enter a shard
//! is decided in `region/shards.rs`; how much all threads together may hold idle (1/16 of the limit), in
//! `region/budget.rs`.
//!
//! ```
//! use sharded_arena::Arena;
//!
//! let arena = Arena::with_capacity(16 << 20)?; // 16 MiB, for all threads together
//! let words: Vec<&str> = std::thread::scope(|scope| {
//!     let arena = &arena;
//!     let word = |n| scope.spawn(move || &*arena.alloc_fmt(format_args!("word {}", n * n)));
//!     let threads: Vec<_> = (0..4).map(word).collect();
//!     threads.into_iter().map(|thread| thread.join().unwrap()).collect()
//! });
//! assert_eq!(words, ["word 0", "word 1", "word 4", "word 9"]); // the threads are gone
//! # Ok::<(), sharded_arena::RegionError>(())
//! ```
//!
//! ```
//! use sharded_arena::Heap;
//! use sharded_arena::allocator_api2::vec::Vec;
//!
//! let heap = Heap::with_capacity(16 << 20)?; // 16 MiB, for all threads together
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             let mut squares = Vec::new_in(&heap);
//!             squares.extend((0..1_000u64).map(|n| n * n));
//!             assert_eq!(squares[999], 998_001);
//!         });
//!     }
//! });
//! assert_eq!(heap.live_bytes(), 0);
//! assert!(heap.peak_memory_usage() <= heap.limit());
//! # Ok::<(), sharded_arena::RegionError>(())
//! ```
//!
//! # Refusals
//!
//! A method without `try_` that makes a value, a box or a collection panics where memory is refused, with the text of
//! the error that its twin with `try_` returns; no method of ours ends the process. Where a refusal is part of normal
//! work there is no twin, and the plain name returns a `Result`: `Heap::alloc`, `grow` and `shrink`, `Pool::insert` and
//! `reserve`, `Interner::intern`, `BlockArena::allocate`, `Region::reserve`, and everything that makes a region. A
//! refusal changes nothing, and what was to be moved in comes back in the error.
//!
//! # What it does not do
//!
//! It is no `GlobalAlloc`; a `static` may hold a heap in a `LazyLock`. Every ordering is argued for the C11 model and
//! checked with loom; the models are in `loom_tests/`, compiled with the library, and run by `cargo loom`.
//!
//! # Forks
//!
//! A forked child may use what its parent had, and make more, on Linux, Android, FreeBSD and Apple's systems. `fork`
//! waits there until no other thread is inside a lock of the crate, for a few short sections, by a handler of
//! `pthread_atfork` that the first region registers.
//!
//! - The child has one thread. What the parent's other threads had on loan stays with them in the child, and counts:
//!   blocks, pool slots, scratch stacks, and the shards with what is idle in them. Of each limit that idle memory is at
//!   most 1/16.
//! - No handler runs for `vfork`, `posix_spawn`, `_Fork` and `clone`; their children must not use the crate.
//! - A signal handler must not fork. A handler of `pthread_atfork` that was registered before the first region must not
//!   use the crate, nor wait for a lock under which a thread uses it: the crate's locks are taken then. Make a region
//!   before you register one.
//!
//! # Layers
//!
//! A module uses only modules above it in `src/lib.rs`. Pure values and the one door to the primitives of concurrency
//! come first, then the parts, the region, what is sharded by thread, the typed layer.
//!
//! Invariants are numbered in the header of the file that keeps them.

pub(crate) mod sync;

mod base;
mod memory;

mod best_fit;
mod bump;
mod depot;
mod thread;

mod region;

mod arena;
mod heap;

mod alloc;
mod block_arena;
pub mod boxed;
pub mod collections;
mod interner;
mod pool;

mod traits;
mod unwind_safe;

pub use allocator_api2;
#[cfg(feature = "allocator-api2-04")]
pub use allocator_api2_04;
pub use arena::{Arena, ArenaBuilder, Checkpoint, Local, Scope, Scratch, ScratchBuilder, ScratchGuard};
pub use base::error::{AllocError, AllocErrorKind, FreeError, LimitOwner, RegionError, RewindError, VerifyError};
pub use base::refusal::{AllocOrInitError, AllocValueError, FromUtf8Error, ReserveError};
pub use base::snapshot::{Extent, Snapshot};
pub use base::stats::{ArenaStats, BestFitStats, HeapStats, PoolStats, RegionStats};
pub use base::system::SystemRefusal;
pub use base::testing;
#[doc(hidden)]
pub use base::{snapshot, stats};
pub use best_fit::BestFitArena;
pub use block_arena::{BlockArena, BlockArenaBuilder, UsageHandle};
pub use bump::BumpRegion;
pub use heap::{Heap, HeapBuilder, LocalHeap};
pub use interner::{FrozenInterner, Interner, InternerBuilder, InternerIter, Symbol};
pub use pool::{Key, Pool, PoolBuilder, PoolDrain, PoolFull, PoolIter, PoolIterMut, Ref, Reservation};
pub use region::{Region, RegionBuilder, RegionReservation};
pub use traits::{Bump, MemoryUsage, Resolve};

/// What the crate's macros call.
#[doc(hidden)]
pub mod __private {
    pub use crate::boxed::cast::{Owner, Rest};
    pub use crate::collections::format::{format_in, try_format_in};
}

/// The README's examples run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(test, loom))]
#[path = "../loom_tests/mod.rs"]
mod loom_tests;

#[cfg(all(test, not(loom)))]
mod cfg_tests {
    /// `cargo loom` sets the variable and the cfg; with `RUSTFLAGS` in the environment the cfg is lost, and no model
    /// would run, all green.
    #[test]
    fn the_model_checker_was_not_asked_for() {
        assert!(
            std::env::var_os("SHARDED_ARENA_LOOM").is_none(),
            "cargo loom without cfg(loom): unset RUSTFLAGS, it hides the flags of .cargo/config.toml"
        );
    }
}
