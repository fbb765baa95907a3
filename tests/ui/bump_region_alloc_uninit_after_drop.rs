// error: E0505
// What was handed out ends with its owner.
use sharded_arena::BumpRegion;

fn main() {
    let arena = BumpRegion::with_capacity(4096).unwrap();
    let place = arena.alloc_uninit::<u64>();
    drop(arena); //~ offending
    place.write(1);
}
