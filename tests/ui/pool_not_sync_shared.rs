// error: E0277
// Threads that share a pool share its values.
use std::cell::Cell;

use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    let key = pool.insert(Cell::new(7u64)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || println!("{key:?}"));
        scope.spawn(|| pool.get(key).map(|value| value.set(8))); //~ offending
    });
    std::thread::spawn(move || drop(pool)).join().unwrap();
}
