// error: lifetime may not live long enough
// A pool of values that live for ever takes no others, whoever sees it as a pool of those.
use sharded_arena::Pool;

fn main() {
    let pool = Pool::new();
    put(&pool, &String::from("text"));
}

fn put<'short>(pool: &Pool<&'static str>, _: &'short str) {
    let _: &Pool<&'static str> = pool;
    let _: &Pool<&'short str> = pool; //~ offending
}
