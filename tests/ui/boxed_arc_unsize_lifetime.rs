// error: E0597
// A trait object lives no longer than its value.
use std::fmt::Display;

use sharded_arena::boxed::Arc;
use sharded_arena::{Heap, unsize};

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    let mut shown: Option<Arc<dyn Display, Heap>> = None;
    {
        let text = String::from("text");
        shown = Some(unsize!(Arc::new_in(&text, heap.clone()), dyn Display)); //~ offending
    }
    drop(shown);
}
