// error: E0502
// Nobody looks at a value that is changed.
use sharded_arena::Pool;

fn main() {
    let mut pool = Pool::new();
    let key = pool.insert(7u64).unwrap();
    let guard = pool.get(key).unwrap();
    *pool.get_mut(key).unwrap() += 1; //~ offending
    assert_eq!(*guard, 7);
}
