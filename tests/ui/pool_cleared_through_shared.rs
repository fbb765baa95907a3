// error: E0596
// Whoever clears a pool has it alone.
use sharded_arena::Pool;

fn main() {
    let pool = Pool::<u64>::new();
    let shared = &pool;
    shared.clear(); //~ offending
}
