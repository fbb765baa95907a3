//! The tests of the crate's public face, in one program: a folder a subject. What needs an allocator of its own is in
//! `tests/alloc`, what must not compile in `tests/ui`.

#[macro_use]
mod support;

mod arenas;
mod boxes;
mod collections;
#[cfg(all(target_os = "linux", not(miri)))]
mod forks;
#[cfg(all(target_os = "linux", not(miri)))]
mod guard;
mod heaps;
mod house;
mod interners;
#[cfg(all(unix, not(miri)))]
mod late_use;
mod pools;
mod regions;
mod systems;
