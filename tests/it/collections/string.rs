//! Our text against std's: scripts of every operation, made and shrunk by proptest from a fixed seed; and what std's
//! has not, refusals that change nothing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String as StdString;

use crate::support::{self, assert_empty, heap, panic_text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::collections::{ReserveError, String};
use sharded_arena::{Arena, Heap, Scratch, format_in, try_format_in, vec_in};

/// A text that may be refused and gives back its room.
type Text<'h> = String<&'h Heap>;

#[derive(Debug, Clone)]
enum Step {
    Push(char),
    PushStr(StdString),
    Pop,
    Truncate(usize),
    Clear,
    Insert(usize, char),
    InsertStr(usize, StdString),
    Remove(usize),
    Retain(u32),
    Drain(usize, usize, usize),
    LeakDrain(usize, usize),
    SplitOff(usize),
    Reserve(usize),
    Shrink(usize),
    Write(i64),
    Extend(Vec<char>),
    CloneFrom(StdString),
}

fn character() -> impl Strategy<Value = char> {
    prop_oneof![4 => any::<char>(), 4 => prop::char::range('a', 'f'), 2 => prop::char::range('à', 'ü')]
}

fn text() -> impl Strategy<Value = StdString> {
    vec(character(), 0..12).prop_map(|parts| parts.into_iter().collect())
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..60_usize;
    prop_oneof![
        character().prop_map(Step::Push),
        text().prop_map(Step::PushStr),
        Just(Step::Pop),
        at().prop_map(Step::Truncate),
        Just(Step::Clear),
        (at(), character()).prop_map(|(at, c)| Step::Insert(at, c)),
        (at(), text()).prop_map(|(at, text)| Step::InsertStr(at, text)),
        at().prop_map(Step::Remove),
        (2..5_u32).prop_map(Step::Retain),
        (at(), at(), at()).prop_map(|(from, to, taken)| Step::Drain(from, to, taken)),
        (at(), at()).prop_map(|(from, to)| Step::LeakDrain(from, to)),
        at().prop_map(Step::SplitOff),
        at().prop_map(Step::Reserve),
        at().prop_map(Step::Shrink),
        any::<i64>().prop_map(Step::Write),
        vec(character(), 0..12).prop_map(Step::Extend),
        text().prop_map(Step::CloneFrom),
    ]
}

/// What a call gives, or that it panics.
fn outcome<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The same call on either text, `t`; both give the same or both panic.
macro_rules! same {
    ($ours:ident, $theirs:ident, |$t:ident| $call:expr) => {{
        let ours = outcome(|| {
            let $t = &mut *$ours;
            $call
        });
        let theirs = outcome(|| {
            let $t = &mut *$theirs;
            $call
        });
        assert!(ours == theirs, "ours {ours:?}, theirs {theirs:?}");
    }};
}

fn run<A: Allocator + Clone>(ours: &mut String<A>, theirs: &mut StdString, step: &Step) {
    match step {
        Step::Push(c) => same!(ours, theirs, |t| t.push(*c)),
        Step::PushStr(text) => same!(ours, theirs, |t| *t += text),
        Step::Pop => same!(ours, theirs, |t| t.pop()),
        Step::Truncate(len) => same!(ours, theirs, |t| t.truncate(*len)),
        Step::Clear => same!(ours, theirs, |t| t.clear()),
        Step::Insert(at, c) => same!(ours, theirs, |t| t.insert(*at, *c)),
        Step::InsertStr(at, text) => same!(ours, theirs, |t| t.insert_str(*at, text)),
        Step::Remove(at) => same!(ours, theirs, |t| t.remove(*at)),
        Step::Retain(nth) => same!(ours, theirs, |t| {
            let mut seen = 0;
            t.retain(|c| {
                seen += 1;
                !(u32::from(c) + seen).is_multiple_of(*nth)
            });
            seen
        }),
        Step::Drain(from, to, taken) => same!(ours, theirs, |t| {
            let mut drain = t.drain(*from..*to);
            let ahead: Vec<char> = drain.by_ref().take(taken / 2).collect();
            let behind: Vec<char> = drain.by_ref().rev().take(taken % 3).collect();
            (ahead, behind, drain.as_str().to_owned())
        }),
        Step::LeakDrain(from, to) => {
            // What is lost is up to each; that it is still a text is not.
            let leaked = outcome(|| std::mem::forget(ours.drain(*from..*to)));
            assert_eq!(leaked.is_some(), outcome(|| theirs.drain(*from..*to)).is_some());
            let left = std::str::from_utf8(ours.as_bytes()).expect("UTF-8");
            left.clone_into(theirs);
        }
        Step::SplitOff(at) => same!(ours, theirs, |t| t.split_off(*at).chars().rev().collect::<Vec<_>>()),
        Step::Reserve(more) => {
            same!(ours, theirs, |t| t.reserve(*more));
            assert!(ours.capacity() >= ours.len() + more);
        }
        Step::Shrink(least) => {
            same!(ours, theirs, |t| t.shrink_to(*least));
            assert_eq!(ours.capacity(), ours.len().max(*least).min(ours.capacity()));
        }
        Step::Write(number) => same!(ours, theirs, |t| write!(t, "<{number:>8}>").is_ok()),
        Step::Extend(parts) => {
            same!(ours, theirs, |t| t.extend(parts));
            same!(ours, theirs, |t| t.extend(parts.iter().map(char::to_string)));
        }
        Step::CloneFrom(text) => {
            ours.clone_from(&String::from_str_in(text, ours.allocator().clone()));
            theirs.clone_from(text);
        }
    }
    // Its bytes first, for what is no text cannot be printed.
    assert_eq!(ours.as_bytes(), theirs.as_bytes());
}

#[test]
fn random_edits_agree_with_std() {
    let cases = if cfg!(debug_assertions) { 150 } else { 2_000 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (heap, arena) = (heap(1 << 20, true), Arena::new());
    let outcome = runner.run(&vec(step(), 0..60), |steps| {
        let (mut in_heap, mut in_arena, mut theirs) = (Text::new_in(&heap), String::new_in(&arena), StdString::new());
        for step in &steps {
            let mut copy = theirs.clone();
            run(&mut in_heap, &mut theirs, step);
            run(&mut in_arena, &mut copy, step);
        }
        Ok(())
    });
    assert_empty(&heap);
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn index_inside_character_panics() {
    let heap = heap(1 << 20, false);
    let mut text = Text::from_str_in("aß€", &heap);
    let inside = "byte 4 is inside of '€', bytes 3 to 6 of 6";
    assert_eq!(panic_text(|| text.truncate(4)), inside);
    assert_eq!(panic_text(|| text.insert(4, 'x')), inside);
    assert_eq!(panic_text(|| text.insert_str(4, "x")), inside);
    assert_eq!(panic_text(|| text.remove(4)), inside);
    assert_eq!(panic_text(|| text.split_off(4)), inside);
    assert_eq!(panic_text(|| text.drain(4..).count()), inside);
    assert_eq!(panic_text(|| text.drain(..=1).count()), "byte 2 is inside of 'ß', bytes 1 to 3 of 6");
    assert_eq!(panic_text(|| text.truncate(2)), "byte 2 is inside of 'ß', bytes 1 to 3 of 6");
    assert_eq!(panic_text(|| text.insert(7, 'x')), "byte 7 is beyond the text, which is 6 bytes long");
    assert_eq!(panic_text(|| text.drain(..=usize::MAX).count()).split(' ').nth(3), Some("beyond"));
    let backwards = std::ops::Range { start: 3, end: 1 };
    assert_eq!(panic_text(|| text.drain(backwards).count()), "the part begins at byte 3 and ends at byte 1");
    let end = catch_unwind(AssertUnwindSafe(|| text.remove(6))).expect_err("no character begins there");
    assert!(end.downcast_ref::<StdString>().is_some_and(|text| text.contains("byte 6")));
    assert_eq!(text, "aß€");
}

/// Every way to grow a text, refused: each fails by its figures and leaves the text and the heap as they were.
#[test]
fn refusal_leaves_string_unchanged() {
    let heap = heap(4096, false);
    let mut text = Text::from_str_in("an ß", &heap);
    text.shrink_to_fit();
    let room = std::iter::from_fn(|| Text::try_with_capacity_in(16, &heap).ok()).collect::<Vec<_>>();
    assert!(room.len() > 200, "the heap is full");
    let long = "€".repeat(40);
    let usage = heap.memory_usage();
    for _ in 0..3 {
        let refused = text.try_push_str(&long);
        assert!(matches!(refused, Err(ReserveError::Refused { requested: 125, align: 1, cause: Some(_), .. })));
        assert_eq!(text.try_insert_str(1, &long), refused);
        assert_eq!(text.try_reserve(120), refused);
        assert_eq!(text.try_reserve_exact(120), refused);
        assert_eq!(text.try_clone_in(&heap).map(drop).is_err(), heap.alloc(std::alloc::Layout::new::<u8>()).is_err());
        assert_eq!(
            try_format_in!(&heap, "{long}{long}").map(drop).map_err(|error| error.to_string().len() > 20),
            Err(true)
        );
        assert!(String::try_from_utf8_lossy_in(&[0xFF; 100], &heap).is_err());
        assert!(write!(text, "{long}").is_err());
        let words = refused.expect_err("the heap is full").to_string();
        assert_eq!(panic_text(|| text.push_str(&long)), words);
        assert_eq!(panic_text(|| text.reserve(120)), words);
        assert!(panic_text(|| format_in!(&heap, "{long}")).contains("120 bytes (alignment 1)"));
        assert_eq!(text.try_reserve(usize::MAX), Err(ReserveError::CapacityOverflow));
        assert_eq!(text.try_reserve_exact(usize::MAX / 2), Err(ReserveError::CapacityOverflow));
        assert!(panic_text(|| text.reserve(usize::MAX)).starts_with("capacity overflow"));
        assert_eq!((text.as_str(), heap.memory_usage()), ("an ß", usage));
    }
    // As far as there is room it grows.
    text.try_push_str("0123456789a").expect("16 bytes are there");
    assert!(text.try_push('x').is_err() && text.try_insert(0, 'x').is_err());
    assert_eq!(text, "an ß0123456789a");
    drop(room);
    text.push_str(&long);
    drop(text);
    assert_empty(&heap);
}

/// Nearly all of a heap whose length is no power of two: what is twice as long does not fit, what is needed does.
#[test]
fn string_grows_to_the_limit() {
    for checked in [false, true] {
        let heap = heap(1_000_000, checked);
        let mut text = Text::new_in(&heap);
        while text.try_push('x').is_ok() {}
        assert!(text.len() > 999_900, "{} bytes", text.len());
        assert!(text.bytes().all(|byte| byte == b'x'));
        drop(text);
        assert_empty(&heap);
    }
}

#[test]
fn panicking_retain_keeps_unvisited_characters() {
    let heap = heap(1 << 20, true);
    let mut text = Text::from_str_in("äbcdé", &heap);
    let panicked = catch_unwind(AssertUnwindSafe(|| text.retain(|c| if c == 'd' { panic!("at d") } else { c == 'b' })));
    assert!(panicked.is_err());
    assert_eq!(text, "bdé");
}

#[test]
fn bytes_round_trip() {
    let heap = heap(1 << 20, true);
    let bytes = vec_in![&heap; 0xE2, 0x82, 0xAC, b'!'];
    let at = bytes.as_ptr();
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text == "€!" && text.as_ptr() == at);
    let mut bytes = text.into_bytes();
    bytes.truncate(2);
    let error = String::from_utf8(bytes).expect_err("half a character");
    assert_eq!((error.as_bytes(), error.utf8_error().error_len()), (&[0xE2, 0x82][..], None));
    assert_eq!(error.to_string(), "incomplete utf-8 byte sequence from index 0");
    assert_eq!(error.into_bytes().as_ptr(), at);
    for bytes in [&b""[..], b"ab", b"\xFFab\xFE", b"a\xE2\x82", &[0xF0, 0x80, 0xC3, 0xA4, 0xC3]] {
        assert_eq!(String::from_utf8_lossy_in(bytes, &heap), StdString::from_utf8_lossy(bytes));
    }
    let boxed = String::from_str_in("boxed", &heap).into_boxed_str();
    assert_eq!((&*boxed, heap.live_bytes()), ("boxed", 5));
    let empty = Text::with_capacity_in(100, &heap).into_boxed_str();
    assert_eq!((&*empty, heap.live_bytes()), ("", 5));
    drop((boxed, empty));
    assert_empty(&heap);
}

/// It is found, compared and ordered as the `str` is.
#[test]
#[expect(clippy::mutable_key_type, reason = "a text hashes its bytes, not its heap")]
fn string_behaves_like_its_str() {
    let (heap, arena) = (heap(1 << 20, true), Arena::new());
    let (text, other) = (Text::from_str_in("été", &heap), String::from_str_in("été", &arena));
    let (owned, borrowed) = ("été".to_owned(), std::borrow::Cow::Borrowed("été"));
    assert!(text == other && text == "été" && text == *"été" && text == owned && text == borrowed);
    // The other way round.
    let same = ["été" == text, *"été" == text, owned == text, borrowed == text];
    assert_eq!(same, [true; 4]);
    let odd = String::from_str_in("étè", &arena);
    let same = ["été" == odd, *"été" == odd, owned == odd, borrowed == odd, text == odd, odd == borrowed];
    assert_eq!(same, [false; 6]);
    assert!(text != "ete" && text > Text::from_str_in("ete", &heap) && text.partial_cmp(&other).is_some());
    let mut found = HashMap::from([(text.clone(), 1)]);
    assert_eq!((found.get("été").copied(), found.remove(&text)), (Some(1), Some(1)));
    assert_eq!((format!("{text:?}|{text:>5}|{text:.1}"), &text[2..3]), ("\"été\"|  été|é".to_owned(), "t"));
    let (bytes, path): (&[u8], &std::path::Path) = (text.as_ref(), text.as_ref());
    assert_eq!((bytes.len(), path.to_str()), (5, Some("été")));
    let sum = text.clone() + "s" + &other;
    assert_eq!(sum, "étésété");
    let parts: Text = String::from_iter_in([text, sum], &heap);
    let mut upper = String::from_iter_in(parts.chars().take(3), &heap);
    upper.make_ascii_uppercase();
    assert_eq!((upper.as_str(), StdString::from(upper.clone())), ("éTé", "éTé".to_owned()));
    drop((parts, upper, found));
    assert_empty(&heap);
}

/// A `Display` that uses what its text is being made in.
struct Reenters<'a>(&'a Arena, &'a Heap);

impl std::fmt::Display for Reenters<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (in_arena, in_heap) = (format_in!(self.0, "{:>40}", "a"), format_in!(self.1, "{:>40}", "h"));
        write!(f, "{in_arena}{in_heap}{}", self.0.alloc_str("!"))
    }
}

#[test]
fn display_may_use_the_same_allocator() {
    let (arena, heap) = (Arena::new(), heap(1 << 20, true));
    let again = Reenters(&arena, &heap);
    // So long that it grows while others' blocks lie beside it.
    let once = format!("{:>40}{:>40}!", "a", "h");
    let (in_arena, in_heap) = (format_in!(&arena, "{again}-{again}"), format_in!(&heap, "{again}-{again}"));
    assert!(in_arena == format!("{once}-{once}") && in_heap == in_arena, "{in_arena:?}, {in_heap:?}");
    drop(in_heap);
    assert_empty(&heap);
    assert_eq!(format_in!(heap.clone(), "no arguments"), "no arguments");
    let length = Scratch::new().scope(|scope| format_in!(&*scope, "{again}").len());
    assert_eq!(length, 81);
}

/// A `Display` that panics or fails part of the way.
struct Breaks(bool);

impl std::fmt::Display for Breaks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a part of it")?;
        assert!(self.0, "a display panics");
        Err(std::fmt::Error)
    }
}

/// A `Display` that goes on where it was refused, with what there is room for.
struct GoesOn(StdString);

impl std::fmt::Display for GoesOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _refused = f.write_str(&self.0);
        let _room = f.write_str("short");
        Ok(())
    }
}

#[test]
fn refusal_ignored_by_display_is_reported() {
    let heap = heap(4096, true);
    let refused = try_format_in!(&heap, "<{}>", GoesOn("long".repeat(5_000)));
    assert!(matches!(refused, Err(ReserveError::Refused { requested: 20_001, align: 1, .. })));
    assert_eq!(format_in!(&heap, "<{}>", GoesOn(StdString::new())), "<short>");
    assert_empty(&heap);
}

#[test]
fn failing_display_leaks_nothing() {
    let heap = heap(1 << 20, true);
    for fails in [false, true] {
        let broken = catch_unwind(AssertUnwindSafe(|| format_in!(&heap, "{}", Breaks(fails))));
        assert!(broken.is_err());
        let broken = catch_unwind(AssertUnwindSafe(|| try_format_in!(&heap, "{}", Breaks(fails))));
        assert!(broken.is_err(), "not a refusal");
        assert_empty(&heap);
    }
    // The refusal comes before what it makes fail.
    let small = support::heap(4096, false);
    let refused = try_format_in!(&small, "{:9000}{}", 1, Breaks(true));
    assert!(matches!(refused, Err(ReserveError::Refused { .. })));
}
