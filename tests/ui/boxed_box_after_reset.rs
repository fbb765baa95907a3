// error: E0502
// A reset ends what is owned in the arena.
use sharded_arena::Arena;
use sharded_arena::boxed::Box;

fn main() {
    let mut arena = Arena::new();
    let value = Box::new_in(7, &arena);
    arena.reset(); //~ offending
    drop(value);
}
