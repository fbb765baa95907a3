// error: E0382
// A slot has one value.
use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    let reservation = pool.reserve().unwrap();
    reservation.fill(7u64);
    reservation.fill(8u64); //~ offending
}
