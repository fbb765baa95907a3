// error: E0502
// A reset ends what is owned in the arena.
use sharded_arena::Arena;
use sharded_arena::boxed::Arc;

fn main() {
    let mut arena = Arena::new();
    let value = Arc::new_in(7, &arena);
    arena.reset(); //~ offending
    drop(value);
}
