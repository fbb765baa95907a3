// error: E0277
// A vector goes to another thread only where its values may.
use sharded_arena::Heap;
use sharded_arena::collections::Vec;
use std::rc::Rc;

fn main() {
    let heap = Heap::with_capacity(1 << 20).unwrap();
    let (numbers, shared) = (Vec::<u8, &Heap>::new_in(&heap), Vec::<Rc<u8>, &Heap>::new_in(&heap));
    std::thread::scope(|scope| {
        scope.spawn(move || drop(numbers));
        scope.spawn(move || drop(shared)); //~ offending
    });
}
