// error: E0594
// A shared value is not written to.
use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    let mut value = Arc::new_in(7, &heap);
    *value = 8; //~ offending
    *Arc::make_mut(&mut value) = 8;
}
