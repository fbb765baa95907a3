// error: E0521
// A scope ends what was handed out in it.
use sharded_arena::Scratch;

fn main() {
    let mut kept: Option<&mut u64> = None;
    Scratch::new().scope(|scope| {
        kept = Some(scope.alloc(7)); //~ offending
    });
    assert_eq!(kept, None);
}
