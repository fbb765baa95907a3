// error: E0502
// A reset ends what was handed out.
use sharded_arena::BumpRegion;

fn main() {
    let mut arena = BumpRegion::with_capacity(4096).unwrap();
    let number = arena.alloc(7u64);
    arena.reset(); //~ offending
    *number += 1;
}
