// error: E0277
// A value becomes no trait object of a trait that it lacks.
use std::fmt::Display;

use sharded_arena::boxed::Box;
use sharded_arena::{Heap, unsize};

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    drop(unsize!(Box::new_in([7], &heap), dyn Display)); //~ offending
}
