// error: E0277
// What handles on two threads share may be shared by threads.
use std::cell::Cell;

use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    std::thread::scope(|threads| {
        let value = Arc::new_in(Cell::new(7), &heap);
        threads.spawn(move || value.set(8)); //~ offending
    });
}
