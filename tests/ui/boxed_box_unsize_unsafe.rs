// error: E0133
// The macro makes nothing safe that it is given.
use sharded_arena::boxed::Box;
use sharded_arena::{Heap, unsize};

unsafe fn made(heap: &Heap) -> Box<[u8; 2], &Heap> {
    Box::new_in([1, 2], heap)
}

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    drop(unsize!(made(&heap), [u8])); //~ offending
}
