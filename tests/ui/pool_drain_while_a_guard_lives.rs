// error: E0502
// Nobody looks at a value that is moved out.
use sharded_arena::Pool;

fn main() {
    let mut pool = Pool::new();
    let key = pool.insert(7u64).unwrap();
    let guard = pool.get(key).unwrap();
    drop(pool.drain()); //~ offending
    assert_eq!(*guard, 7);
}
