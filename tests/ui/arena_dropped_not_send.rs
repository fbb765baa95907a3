// error: E0277
// The value may be dropped on another thread, with the arena.
use std::rc::Rc;

use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let shared = Rc::new(7);
    arena.alloc_dropped(Rc::clone(&shared)); //~ offending
    assert_eq!(*shared, 7);
}
