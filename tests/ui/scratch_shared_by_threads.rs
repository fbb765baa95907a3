// error: E0277
// A scratch stack is one thread's at a time.
use sharded_arena::Scratch;

fn main() {
    let (shared, moved) = (Scratch::new(), Scratch::new());
    std::thread::scope(|threads| {
        threads.spawn(|| *shared.alloc(7u64)); //~ offending
        threads.spawn(move || *moved.alloc(7u64));
    });
}
