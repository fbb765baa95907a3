// error: E0502
// A reset ends what was handed out.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let numbers = arena.alloc_from_iter(0..7u32);
    arena.reset(); //~ offending
    numbers[6] = 1;
}
