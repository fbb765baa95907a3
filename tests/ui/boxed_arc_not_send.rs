// error: E0277
// An `Arc` goes where its value may go.
use std::rc::Rc;

use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    std::thread::scope(|threads| {
        let value = Arc::new_in(Rc::new(7), &heap);
        threads.spawn(move || drop(value)); //~ offending
    });
}
