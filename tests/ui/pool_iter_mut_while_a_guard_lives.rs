// error: E0502
// Nobody looks at values that are changed.
use sharded_arena::Pool;

fn main() {
    let mut pool = Pool::new();
    let key = pool.insert(7u64).unwrap();
    let guard = pool.get(key).unwrap();
    pool.iter_mut().for_each(|(_, value)| *value += 1); //~ offending
    assert_eq!(*guard, 7);
}
