// error: E0277
// Values are copied if they are `Copy`.
use sharded_arena::Heap;
use sharded_arena::boxed::Box;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    let words = [String::from("words")];
    drop(Box::clone_from_slice_in(&words, &heap));
    drop(Box::copy_from_slice_in(&words, &heap)); //~ offending
}
