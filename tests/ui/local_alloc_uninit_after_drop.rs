// error: E0505
// What was handed out ends with its owner.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let place = arena.local().alloc_uninit::<u64>();
    drop(arena); //~ offending
    place.write(1);
}
