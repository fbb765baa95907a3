// error: E0308
// A key names a value of its own type only.
use sharded_arena::Pool;

fn main() {
    let (numbers, texts) = (Pool::new(), Pool::new());
    let number = numbers.insert(7u64).unwrap();
    texts.insert(String::from("text")).unwrap();
    texts.remove(number); //~ offending
    numbers.remove(number);
}
