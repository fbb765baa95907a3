// error: none
// A checkpoint borrows nothing: one that no longer holds is an error when it is used.
use sharded_arena::Scratch;

fn main() {
    let kept = {
        let scratch = Scratch::new();
        scratch.alloc(7u64);
        scratch.checkpoint()
    };
    let mut other = Scratch::new();
    assert!(other.rewind(kept).is_err());
}
