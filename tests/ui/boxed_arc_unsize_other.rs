// error: E0277
// A value becomes no trait object of a trait that it lacks.
use std::fmt::Display;

use sharded_arena::boxed::Arc;
use sharded_arena::{Heap, unsize};

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    drop(unsize!(Arc::new_in([7], &heap), dyn Display)); //~ offending
}
