// error: E0505
// What was handed out ends with its owner.
use sharded_arena::BumpRegion;

fn main() {
    let arena = BumpRegion::with_capacity(4096).unwrap();
    let numbers = arena.alloc_from_iter(0..7u32);
    drop(arena); //~ offending
    numbers[6] = 1;
}
