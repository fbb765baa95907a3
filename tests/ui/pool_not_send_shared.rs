// error: E0277
// Threads that share a pool may take, and drop, each other's values.
use std::sync::MutexGuard;

use sharded_arena::Pool;

fn main() {
    let pool = Pool::<MutexGuard<'static, u64>>::new();
    std::thread::scope(|scope| {
        scope.spawn(|| ());
        scope.spawn(|| assert!(pool.is_empty())); //~ offending
    });
}
