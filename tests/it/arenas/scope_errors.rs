//! What is outside a scope may be referred to inside it, though the scope's closure must work for every lifetime.

use sharded_arena::{Arena, Scope, Scratch};

fn longest<'s>(scope: &mut Scope<'s>, words: &[u8]) -> &'s mut [u8] {
    scope.alloc_slice_copy(words)
}

fn any<'s, 'e>(scope: &mut Scope<'s, &'e ()>, words: &'e [String]) -> &'s mut [&'e str] {
    scope.alloc_slice_fill_iter(words.iter().map(String::as_str))
}

#[test]
fn scope_values_may_refer_outside() {
    let words: Vec<String> = ["b", "a"].map(String::from).into();
    let text = String::from("text");
    let mut scratch = Scratch::new();
    let len = scratch.scope(|scope| {
        let outer: &mut &str = scope.alloc(text.as_str());
        let sorted = any(scope, &words);
        sorted.sort_unstable();
        assert_eq!(sorted, ["a", "b"]);
        // Results of the outer scope are outside the inner one.
        let inner = scope.scope(|scope| {
            let both = scope.alloc([&**outer, sorted[0]]);
            both.concat().len()
        });
        assert_eq!((*outer, inner), ("text", 5));
        inner + scope.alloc_str(outer).len()
    });
    assert_eq!((len, scratch.live_bytes()), (9, 0));
    let kept: Result<&mut [&str], ()> = scratch.stage(|stage| Ok(any(stage, &words)));
    assert_eq!(kept.expect("kept"), ["b", "a"]);
}

#[test]
fn scope_type_needs_no_error_parameter() {
    let arena = Arena::new();
    let copied = arena.scratch().scope(|scope| longest(scope, b"abc").len());
    assert_eq!(copied, 3);
}
