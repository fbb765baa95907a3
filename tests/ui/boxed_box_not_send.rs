// error: E0277
// A box goes where its value may go.
use std::rc::Rc;

use sharded_arena::Heap;
use sharded_arena::boxed::Box;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    std::thread::scope(|threads| {
        let value = Box::new_in(Rc::new(7), &heap);
        threads.spawn(move || drop(value)); //~ offending
    });
}
