// error: E0505
// What was handed out ends with its owner.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let number = arena.alloc(7u64);
    drop(arena); //~ offending
    *number += 1;
}
