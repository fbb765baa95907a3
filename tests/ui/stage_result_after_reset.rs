// error: E0499
// A reset ends what a stage has kept.
use sharded_arena::Scratch;

fn main() {
    let mut scratch = Scratch::new();
    let kept = scratch.stage::<u64, ()>(|stage| Ok(stage.alloc(7))).unwrap();
    scratch.reset(); //~ offending
    *kept += 1;
}
