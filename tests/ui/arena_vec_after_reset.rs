// error: E0502
// A reset ends a vector in the arena.
use sharded_arena::Arena;
use sharded_arena::allocator_api2::vec::Vec;

fn main() {
    let mut arena = Arena::new();
    let mut bytes = Vec::new_in(&arena);
    arena.reset(); //~ offending
    bytes.push(7u8);
}
