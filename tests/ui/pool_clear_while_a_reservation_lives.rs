// error: E0502
// A reservation holds a slot that clearing would free.
use sharded_arena::Pool;

fn main() {
    let mut pool = Pool::new();
    let reservation = pool.reserve().unwrap();
    pool.clear(); //~ offending
    reservation.fill(7u64);
}
