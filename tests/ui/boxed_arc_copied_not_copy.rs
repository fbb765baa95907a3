// error: E0277
// Values are copied if they are `Copy`.
use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    let words = [String::from("words")];
    drop(Arc::clone_from_slice_in(&words, &heap));
    drop(Arc::copy_from_slice_in(&words, &heap)); //~ offending
}
