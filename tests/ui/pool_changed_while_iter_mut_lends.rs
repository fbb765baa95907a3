// error: E0502
// What is lent exclusively is not removed meanwhile.
use sharded_arena::Pool;

fn main() {
    let mut pool = Pool::new();
    let key = pool.insert(7u64).unwrap();
    let lent: Vec<&mut u64> = pool.iter_mut().map(|(_, value)| value).collect();
    pool.remove(key); //~ offending
    assert_eq!(*lent[0], 7);
}
