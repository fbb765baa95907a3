// error: E0505
// What a guard lends ends with the guard, after which the value may be dropped by anybody.
use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    let key = pool.insert(String::from("text")).unwrap();
    let guard = pool.get(key).unwrap();
    let text: &str = &guard;
    drop(guard); //~ offending
    assert_eq!(text, "text");
}
