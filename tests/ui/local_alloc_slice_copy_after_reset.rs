// error: E0502
// A reset ends what was handed out.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let bytes = arena.local().alloc_slice_copy(&[7u8; 3]);
    arena.reset(); //~ offending
    bytes[0] = 1;
}
