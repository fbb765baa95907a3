// error: E0502
// A reset ends what was handed out.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let number = arena.alloc(7u64);
    arena.reset(); //~ offending
    *number += 1;
}
