// error: E0277
// A vector that owned its arena could hand it out to be reset.
use sharded_arena::Arena;
use sharded_arena::allocator_api2::alloc::Allocator;

fn allocator(_: impl Allocator) {}

fn main() {
    let arena = Arena::new();
    allocator(&arena);
    allocator(arena); //~ offending
}
