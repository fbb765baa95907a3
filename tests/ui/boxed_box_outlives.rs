// error: E0597
// A box by reference ends before its heap.
use sharded_arena::Heap;
use sharded_arena::boxed::Box;

fn main() {
    let other = Heap::with_capacity(1 << 16).unwrap();
    let mut value = Box::new_in(7, &other);
    {
        let heap = Heap::with_capacity(1 << 16).unwrap();
        value = Box::new_in(8, &heap); //~ offending
    }
    drop(value);
}
