// error: E0499
// Two keys may be the same.
use sharded_arena::Pool;

fn main() {
    let mut pool = Pool::new();
    let key = pool.insert(7u64).unwrap();
    let first = pool.get_mut(key).unwrap();
    let second = pool.get_mut(key).unwrap(); //~ offending
    *first += 1;
}
