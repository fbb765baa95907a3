// error: E0277
// A vector goes where its values may go.
use std::rc::Rc;

use sharded_arena::Arena;
use sharded_arena::allocator_api2::vec::Vec;

fn main() {
    let arena = Arena::new();
    std::thread::scope(|threads| {
        let mut shared = Vec::new_in(&arena);
        shared.push(Rc::new(7));
        threads.spawn(move || drop(shared)); //~ offending
    });
}
