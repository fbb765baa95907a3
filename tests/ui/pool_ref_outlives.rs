// error: E0505
// A guard looks into its pool.
use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    let key = pool.insert(7u64).unwrap();
    let guard = pool.get(key).unwrap();
    drop(pool); //~ offending
    assert_eq!(*guard, 7);
}
