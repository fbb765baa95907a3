// error: lifetime may not live long enough
// A stage that fails undoes what was handed out in it.
use sharded_arena::Scratch;

fn main() {
    let _ = Scratch::new().stage::<u64, Option<&mut u64>>(|stage| {
        let number = stage.alloc(7u64);
        if *number == 7 {
            return Err(Some(number)); //~ offending
        }
        Err(None)
    });
}
