// error: E0597
// A pool drops its values, which may look at what they refer to.
use sharded_arena::Pool;

struct Says<'t>(&'t str);

impl Drop for Says<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn main() {
    let pool = Pool::new();
    let before = String::from("before");
    let lasting: &'static str = "lasting";
    pool.insert(Says(lasting)).unwrap();
    pool.insert(Says(&before)).unwrap(); //~ offending
}
