// error: E0277
// A trait object's auto traits are its value's.
use std::any::Any;
use std::rc::Rc;

use sharded_arena::boxed::Box;
use sharded_arena::{Heap, unsize};

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    drop(unsize!(Box::new_in(Rc::new(7), &heap), dyn Any + Send)); //~ offending
}
