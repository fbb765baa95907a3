// error: E0521
// A stage that fails undoes what was handed out in it.
use sharded_arena::Scratch;

fn main() {
    let mut kept: Option<&mut u64> = None;
    let _ = Scratch::new().stage::<u64, ()>(|stage| {
        kept = Some(stage.alloc(7)); //~ offending
        Err(())
    });
    assert_eq!(kept, None);
}
