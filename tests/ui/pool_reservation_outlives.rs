// error: E0505
// A reservation holds a slot of its pool.
use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    let reservation = pool.reserve().unwrap();
    drop(pool); //~ offending
    reservation.fill(7u64);
}
