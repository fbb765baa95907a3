//! What each of the systems that this crate contains is known for: one test a clause, named `<system>__<clause>`, in
//! the files of this folder; those that count allocations in `tests/alloc/systems.rs`. Each says what the original
//! does. What must not compile is in `tests/ui/`.
#![allow(non_snake_case, reason = "two underscores part the system's name from the clause's")]

/// Whether a type is what a bound says.
macro_rules! is {
    ($type:ty: $bound:path) => {{
        #[allow(dead_code, reason = "of the two constants one is the answer")]
        trait Not {
            const ANSWER: bool = false;
        }
        impl<T> Not for T {}
        struct Of<T>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "of the two constants one is the answer")]
        impl<T: $bound> Of<T> {
            const ANSWER: bool = true;
        }
        <Of<$type>>::ANSWER
    }};
}

mod arena;
mod arena_b;
mod arena_b_memory;
mod bitcoin_arena;
mod blocks;
mod bump;
mod bumpalo;
mod collections;
#[cfg(all(target_os = "linux", not(miri)))]
mod guard;
mod heap_handles;
mod interner;
mod pool;
mod scratch;
mod shared_handles;
