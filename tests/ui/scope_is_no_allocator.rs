// error: E0277
// A scope by value would be an allocator nobody borrows.
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::{Scope, Scratch};

fn main() {
    Scratch::new().scope(|scope| {
        by_reference(scope);
        allocator(scope); //~ offending
    });
}

fn by_reference<'b, 's, 'e>(scope: &'b mut Scope<'s, &'e ()>) {
    allocator_of(&&*scope);
}

fn allocator_of<A: Allocator>(_: &A) {}

fn allocator<A: Allocator>(_: &mut A) {}
