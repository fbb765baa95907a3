// error: E0502
// A guard borrows its arena.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let guard = arena.scratch();
    arena.reset(); //~ offending
    guard.alloc(7u64);
}
