// error: E0277
// The stack is lent to its thread.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let guard = arena.scratch();
    std::thread::scope(|threads| {
        threads.spawn(|| drop(arena.scratch()));
        threads.spawn(move || drop(guard)); //~ offending
    });
}
