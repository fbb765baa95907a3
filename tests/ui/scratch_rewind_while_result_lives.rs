// error: E0502
// Who frees has the stack alone.
use sharded_arena::Scratch;

fn main() {
    let mut scratch = Scratch::new();
    let start = scratch.checkpoint();
    let number = scratch.alloc(7u64);
    scratch.rewind(start).unwrap(); //~ offending
    *number += 1;
    scratch.rewind(start).unwrap();
}
