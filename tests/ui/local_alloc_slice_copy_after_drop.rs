// error: E0505
// What was handed out ends with its owner.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let bytes = arena.local().alloc_slice_copy(&[7u8; 3]);
    drop(arena); //~ offending
    bytes[0] = 1;
}
