// error: E0277
// A scope is its thread's.
use sharded_arena::Scratch;

fn main() {
    Scratch::new().scope(|scope| {
        std::thread::scope(|threads| {
            threads.spawn(|| *scope.alloc(7u64)); //~ offending
        });
    });
}
