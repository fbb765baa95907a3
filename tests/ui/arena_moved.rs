// error: E0505
// An arena stays where it is while its results live.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let number = arena.alloc(7u64);
    let _moved = Box::new(arena); //~ offending
    *number += 1;
}
