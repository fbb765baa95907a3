// error: E0502
// A reset ends what was handed out.
use sharded_arena::BumpRegion;

fn main() {
    let mut arena = BumpRegion::with_capacity(4096).unwrap();
    let place = arena.alloc_uninit::<u64>();
    arena.reset(); //~ offending
    place.write(1);
}
