//! Model checking of the real code with loom: `cargo loom`, or `cargo loom m03` for one model.
//!
//! Every role of a model is a child thread; the main thread only makes the state, spawns, joins and checks. Each model
//! is explored in every spawn order of its roles and under preemption bounds ([`support::harness::Bounds`]). Loom's
//! unbounded search is not exhaustive on a load followed by an exchange (tokio-rs/loom #166); a bound turns on its
//! conservative search.
//!
//! `SHARDED_ARENA_LOOM` chooses the bounds when the models run. `cargo loom` sets it to `quick`, which explores each
//! model at bound 2 and the largest at bound 1. `.ci/loom` sets it to `deep`, which adds the greater bounds; so does a
//! run without the variable.
//!
//! What a model calls memory is a loom cell per block ([`support::harness::Blocks`]): entered at hand-out, free and
//! reuse, so a double hand-out or a missing happens-before edge is loom's own error. Nodes and shards have ghosts of
//! their own in the code. Each model's header names the weakening that breaks it; `.ci/mutants` runs them all.

mod m01_bump;
mod m02_lease;
mod m03_depot;
mod m04_aba;
mod m05_limit;
mod m06_shared;
mod m06_travel;
mod m07_handover;
mod m08_herd;
mod m08_pressure;
mod m09_aba;
mod m09_local;
mod m09_pieces;
mod m09_token;
mod m10_drop;
mod m11_pool;
mod m11_pool_full;
mod m12_reserve;
mod m13_intern;
mod m14_trim;
mod m15_scratch;
mod m16_arena_end;
mod m17_arc;
mod m18_guard;
mod m19_alone;
mod m20_refusal;
mod support;
