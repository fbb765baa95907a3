// error: E0505
// The next borrower of the stack uses the memory again.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let guard = arena.scratch();
    let number = guard.alloc(7u64);
    drop(guard); //~ offending
    *number += 1;
}
