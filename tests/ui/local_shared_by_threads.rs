// error: E0277
// The shard is its thread's.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let local = arena.local();
    std::thread::scope(|threads| {
        threads.spawn(|| *arena.alloc(7u64));
        threads.spawn(|| *local.alloc(7u64)); //~ offending
    });
}
