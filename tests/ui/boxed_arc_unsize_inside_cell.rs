// error: E0521
// What is written into the cell as what ends would be read through another handle as what does not.
use std::cell::RefCell;

use sharded_arena::boxed::Arc;
use sharded_arena::{Heap, unsize};

type Cell<'t> = Arc<RefCell<&'t str>, Heap>;

fn write<'t>(cell: Cell<'static>, text: &'t str) {
    let cell = unsize!(cell, RefCell<&'t str>); //~ offending
    *cell.borrow_mut() = text.len().checked_sub(5).map_or("few", |_| "many");
}

fn main() {
    let cell = Arc::new_in(RefCell::new("static"), Heap::with_capacity(1 << 16).unwrap());
    write(cell.clone(), &String::from("short"));
    println!("{}", cell.borrow());
}
