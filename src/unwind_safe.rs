//! Which types a closure for `catch_unwind` may hold: those that a panic leaves consistent.
//!
//! A panic comes out of a caller's code (a closure, an iterator, a destructor) or out of a method that was refused.
//! Neither runs under the region's lock, and each method restores its invariants first: refusals change nothing, values
//! made in vain are dropped, slots and blocks come back. So nobody sees anything broken behind a caught panic.

use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::{Arena, FrozenInterner, Heap, Interner, Pool, Region};

macro_rules! unwind_safe {
    ($($type:ty),+) => {$(
        impl UnwindSafe for $type {}
        impl RefUnwindSafe for $type {}
    )+};
}

unwind_safe! { Arena, FrozenInterner, Heap, Interner, Region }

// What a value of the pool is behind a panic is the value's business.
impl<T: RefUnwindSafe> UnwindSafe for Pool<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Pool<T> {}
