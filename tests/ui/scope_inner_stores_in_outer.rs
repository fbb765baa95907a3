// error: E0521
// An inner scope ends what was handed out in it.
use sharded_arena::Scratch;

fn main() {
    Scratch::new().scope(|outer| {
        let kept: &mut Option<&mut u64> = outer.alloc(None);
        outer.scope(|inner| {
            *kept = Some(inner.alloc(7)); //~ offending
        });
        assert_eq!(*kept, None);
    });
}
