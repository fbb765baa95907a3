// error: E0597
// The destructor may run after what the value refers to.
use sharded_arena::Arena;

struct Prints<'a>(&'a str);

impl Drop for Prints<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn main() {
    let arena = Arena::new();
    {
        let text = String::from("gone");
        arena.alloc_dropped(Prints(&text)); //~ offending
        Prints(&text);
    }
    drop(arena);
}
