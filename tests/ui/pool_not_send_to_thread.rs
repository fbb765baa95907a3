// error: E0277
// Values go where their pool goes.
use std::rc::Rc;

use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    pool.insert(Rc::new(7u64)).unwrap();
    let number = 7;
    std::thread::spawn(move || drop(number)).join().unwrap();
    std::thread::spawn(move || drop(pool)).join().unwrap(); //~ offending
}
