// error: E0277
// The shard is its thread's.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let local = arena.local();
    std::thread::scope(|threads| {
        threads.spawn(|| drop(&arena));
        threads.spawn(move || drop(local)); //~ offending
    });
}
