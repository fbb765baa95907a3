// error: E0505
// What was handed out ends with its owner.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let numbers = arena.alloc_from_iter(0..7u32);
    drop(arena); //~ offending
    numbers[6] = 1;
}
