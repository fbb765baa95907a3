// error: E0502
// A reset ends what was handed out.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let place = arena.alloc_uninit::<u64>();
    arena.reset(); //~ offending
    place.write(1);
}
