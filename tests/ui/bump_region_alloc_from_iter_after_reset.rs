// error: E0502
// A reset ends what was handed out.
use sharded_arena::BumpRegion;

fn main() {
    let mut arena = BumpRegion::with_capacity(4096).unwrap();
    let numbers = arena.alloc_from_iter(0..7u32);
    arena.reset(); //~ offending
    numbers[6] = 1;
}
