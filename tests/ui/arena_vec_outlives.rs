// error: E0597
// A vector in an arena ends before it.
use sharded_arena::Arena;
use sharded_arena::allocator_api2::vec::Vec;

fn main() {
    let other = Arena::new();
    let mut bytes = Vec::new_in(&other);
    {
        let arena = Arena::new();
        bytes = Vec::new_in(&arena); //~ offending
    }
    bytes.push(7u8);
}
