// error: E0502
// A reset ends what was handed out.
use sharded_arena::BumpRegion;

fn main() {
    let mut arena = BumpRegion::with_capacity(4096).unwrap();
    let bytes = arena.alloc_slice_copy(&[7u8; 3]);
    arena.reset(); //~ offending
    bytes[0] = 1;
}
