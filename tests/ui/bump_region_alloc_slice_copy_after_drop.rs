// error: E0505
// What was handed out ends with its owner.
use sharded_arena::BumpRegion;

fn main() {
    let arena = BumpRegion::with_capacity(4096).unwrap();
    let bytes = arena.alloc_slice_copy(&[7u8; 3]);
    drop(arena); //~ offending
    bytes[0] = 1;
}
