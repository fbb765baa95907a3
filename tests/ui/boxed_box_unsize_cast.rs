// error: E0308
// A value becomes none of another type.
use sharded_arena::boxed::Box;
use sharded_arena::{Heap, unsize};

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    drop(unsize!(Box::new_in(7u32, &heap), i32)); //~ offending
}
