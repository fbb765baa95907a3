//! `bumpalo`: boxed values and collections in an arena, side by side with the original's, and what the original's
//! cannot: be shared by threads through one `&Arena`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::thread;

use crate::support::{Random, steps};
use bumpalo::Bump;
use bumpalo::boxed::Box as BumpBox;
use bumpalo::collections::{CollectIn, String as BumpString, Vec as BumpVec};
use sharded_arena::boxed::Box as ABox;
use sharded_arena::collections::{HashMap, HashSet, String as AString, Vec as AVec, collect_in, try_collect_in};
use sharded_arena::{Arena, Scratch, format_in, vec_in};

// ---- match exactly --------------------------------------------------------------------------------------------------

/// A script of edits of a text, which the two share the names of.
macro_rules! edits {
    ($text:expr, $seed:expr, $steps:expr) => {{
        let mut random = Random::new($seed);
        for step in 0..$steps {
            let text = &mut $text;
            let places: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            let at = places[random.below(places.len())];
            match random.below(12) {
                0 | 1 => text.push(['a', 'ß', '€', '𝄞'][random.below(4)]),
                2 | 3 => text.push_str(["", "word", "naïve", "𝄞𝄞"][random.below(4)]),
                4 => text.insert(at, 'é'),
                5 => text.insert_str(at, "-in-"),
                6 => drop(text.pop()),
                7 if at < text.len() => drop(text.remove(at)),
                8 if step % 3 == 0 => text.truncate(at),
                9 if step % 5 == 0 => text.retain(|c| c != 'a'),
                10 => text.reserve(random.below(100)),
                11 => write!(text, "{step}").expect("a text takes all"),
                _ => {}
            }
        }
    }};
}

/// The original's text has the standard library's methods.
#[test]
fn bumpalo__strings_do_what_the_original_s_do() {
    for seed in 0..20 {
        let (bump, arena) = (Bump::new(), Arena::new());
        let (mut theirs, mut ours) = (BumpString::new_in(&bump), AString::new_in(&arena));
        edits!(theirs, seed, 300);
        edits!(ours, seed, 300);
        assert_eq!(ours, *theirs, "seed {seed}");
        assert_eq!(ours.into_bytes()[..], theirs.into_bytes()[..]);
    }
    let (bump, arena) = (Bump::new(), Arena::new());
    assert_eq!(AString::from_str_in("text", &arena), *BumpString::from_str_in("text", &bump));
    for bytes in [&b"plain"[..], b"br\xFFoken", b"\xF0\x9F", b""] {
        assert_eq!(AString::from_utf8_lossy_in(bytes, &arena), *BumpString::from_utf8_lossy_in(bytes, &bump));
    }
}

/// A script of edits of a vector of numbers.
macro_rules! changes {
    ($numbers:expr, $seed:expr, $steps:expr) => {{
        let mut random = Random::new($seed);
        for n in 0..$steps {
            let numbers = &mut $numbers;
            let (at, len) = (random.below(numbers.len() + 1), numbers.len());
            match random.below(12) {
                0..4 => numbers.push(n),
                4 => numbers.extend_from_slice(&[n, n + 1, n + 2]),
                5 => numbers.insert(at, n),
                6 if at < len => drop(numbers.remove(at)),
                7 if at < len => drop(numbers.swap_remove(at)),
                8 => drop(numbers.pop()),
                9 if n % 7 == 0 => numbers.retain(|found| found % 3 != 0),
                10 if n % 50 == 0 => drop(numbers.drain(..at).count()),
                11 if n % 40 == 0 => numbers.truncate(at),
                _ => numbers.resize(len + 2, n),
            }
        }
        $numbers.sort_unstable();
        $numbers.dedup();
    }};
}

/// The original's vector has the standard library's methods.
#[test]
fn bumpalo__vectors_do_what_the_original_s_do() {
    for seed in 0..20 {
        let (bump, arena) = (Bump::new(), Arena::new());
        let (mut theirs, mut ours) = (BumpVec::new_in(&bump), AVec::new_in(&arena));
        changes!(theirs, seed, 400_u32);
        changes!(ours, seed, 400_u32);
        assert_eq!(ours[..], theirs[..], "seed {seed}");
    }
    // What it grew into stays when it is given away: the original's `into_bump_slice_mut`.
    let (bump, arena) = (Bump::new(), Arena::new());
    let theirs: &mut [u32] = bumpalo::vec![in &bump; 1, 2, 3].into_bump_slice_mut();
    let ours: &mut [u32] = vec_in![&arena; 1, 2, 3].leak();
    ours[0] = 7;
    theirs[0] = 7;
    assert_eq!(ours, theirs);
    assert_eq!(vec_in![&arena; "ab"; 3][..], bumpalo::vec![in &bump; "ab"; 3][..]);
}

/// A text in the arena, and as long as it.
fn label(arena: &Arena, n: usize) -> &str {
    format_in!(arena, "item {n}").leak()
}

/// The original formats with its own macro.
#[test]
fn bumpalo__format_in() {
    let (bump, arena) = (Bump::new(), Arena::new());
    let (name, number) = ("naïve", 42.5);
    macro_rules! formats {
        ($($args:tt)*) => {
            assert_eq!(format_in!(&arena, $($args)*), *bumpalo::format!(in &bump, $($args)*));
        };
    }
    formats!("",);
    formats!("plain",);
    formats!("{name:>10}|{number:<8}|{:#06x}", 255);
    formats!("{0:?} {0} {1:?}", name, Some(number));
    assert_eq!([label(&arena, 1), label(&arena, 2)], ["item 1", "item 2"]);
}

/// The original collects by a trait of its own.
#[test]
fn bumpalo__collecting() {
    let (bump, arena) = (Bump::new(), Arena::new());
    let theirs: BumpVec<'_, u64> = (0..1000).map(|n| n * n).filter(|n| n % 3 == 1).collect_in(&bump);
    let ours = collect_in((0..1000_u64).map(|n| n * n).filter(|n| n % 3 == 1), &arena);
    assert_eq!(ours[..], theirs[..]);
    let theirs: BumpString<'_> = "collected".chars().rev().collect_in(&bump);
    assert_eq!(AString::from_iter_in("collected".chars().rev(), &arena), *theirs);
    let (set, map): (BTreeSet<u64>, BTreeMap<u64, u64>) =
        (ours.iter().copied().collect(), (0..9).map(|n| (n, n * n)).collect());
    let mut ours: HashSet<u64, &Arena> = HashSet::new_in(&arena);
    ours.extend(set.iter().chain(&set));
    assert!(ours.len() == set.len() && set.iter().all(|n| ours.contains(n)));
    let mut ours: HashMap<u64, u64, &Arena> = HashMap::new_in(&arena);
    ours.extend(&map);
    assert_eq!(ours.iter().map(|(n, square)| (*n, *square)).collect::<BTreeMap<_, _>>(), map);
    // Where the original would end the process, a refusal is an error.
    let short = Arena::with_capacity(64 << 10).expect("an arena");
    assert!(try_collect_in(0_u64.., &short).is_err());
}

thread_local! {
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

/// Counts its drops on the thread.
struct Counted(u32);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

/// The same lines for the original's box and ours.
macro_rules! boxes {
    ($Box:ident, $arena:expr) => {{
        let mut lines = Vec::new();
        let mut line = |what: &str, figure: u32| lines.push(format!("{what} {figure}: {} dropped", DROPPED.take()));
        let boxed = $Box::new_in(Counted(1), $arena);
        line("made", boxed.0);
        drop(boxed);
        line("dropped", 0);
        let value = $Box::into_inner($Box::new_in(Counted(2), $arena));
        line("taken out", value.0);
        drop(value);
        line("and dropped", 0);
        line("leaked", $Box::leak($Box::new_in(Counted(3), $arena)).0);
        let mut pinned = $Box::new_in(Counted(4), $arena);
        pinned.0 += 1;
        line("changed", pinned.0);
        let list = [$Box::new_in(Counted(5), $arena), pinned];
        line("moved", list.iter().map(|boxed| boxed.0).sum());
        drop(list);
        line("dropped together", 0);
        let (one, two) = ($Box::new_in(1, $arena), $Box::new_in(2, $arena));
        line("compared", u32::from(one < two && one != two && format!("{one}{two:?}") == "12"));
        lines
    }};
}

/// The original's box runs the destructor that its arena does not.
#[test]
fn bumpalo__a_box_in_an_arena_runs_the_destructor() {
    let (bump, arena) = (Bump::new(), Arena::new());
    DROPPED.set(0);
    let expected = boxes!(BumpBox, &bump);
    assert_eq!(boxes!(ABox, &arena), expected);
    assert!(expected[1].ends_with("1 dropped"), "{expected:?}");
    assert_eq!(Scratch::new().scope(|scope| boxes!(ABox, &*scope)), expected);
    // Without a box nothing is dropped, and a reset does not care.
    let mut arena = Arena::new();
    arena.alloc(Counted(1));
    drop(ABox::new_in(Counted(2), &arena));
    arena.reset();
    assert_eq!(DROPPED.take(), 1);
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// Of the original's only the reference is there, and it is neither (its issues 53, 72 and 83; 6 of bumpalo-herd).
#[test]
fn bumpalo__collections_through_a_shared_arena_are_send_and_sync() {
    macro_rules! all {
        ($answer:expr; $($type:ty),* $(,)?) => { $(
            assert_eq!((is!($type: Send), is!($type: Sync)), $answer, stringify!($type));
        )* };
    }
    type A = &'static Arena;
    all!((true, true); A, AVec<u64, A>, AString<A>, HashMap<u32, AString<A>, A>, HashSet<AString<A>, A>, ABox<[u8; 9], A>,
        AVec<ABox<AVec<AString<A>, A>, A>, A>);
    all!((false, false); &'static Bump, BumpVec<'static, u64>, BumpString<'static>);
    // What may not leave its thread does not learn it in an arena.
    all!((false, false); AVec<std::rc::Rc<u64>, A>, ABox<std::rc::Rc<u64>, A>, HashMap<u32, std::rc::Rc<u64>, A>);
    all!((true, false); AVec<Cell<u64>, A>);
}

/// Every kind, built by threads in one arena, joined into others' collections, read by all, and dropped elsewhere.
#[test]
fn bumpalo__collections_are_built_shared_and_dropped_by_threads() {
    type Text<'a> = AString<&'a Arena>;
    struct Part<'a> {
        texts: AVec<Text<'a>, &'a Arena>,
        lengths: HashMap<usize, AVec<usize, &'a Arena>, &'a Arena>,
        seen: HashSet<Text<'a>, &'a Arena>,
        sum: ABox<usize, &'a Arena>,
    }
    fn build(arena: &Arena, part: usize) -> Part<'_> {
        let numbers = (part * 1000..).take(steps(2000));
        let mut made = Part {
            texts: collect_in(numbers.clone().map(|n| format_in!(arena, "<{n}>")), arena),
            lengths: HashMap::new_in(arena),
            seen: HashSet::new_in(arena),
            sum: ABox::new_in(numbers.clone().sum(), arena),
        };
        for n in numbers {
            let text = format_in!(arena, "<{n}>");
            made.lengths.entry(text.len()).or_insert_with(|| vec_in![arena]).push(n);
            made.seen.insert(text);
        }
        made
    }
    let arena = Arena::new();
    let parts: Vec<Part<'_>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|part| {
                scope.spawn({
                    let arena = &arena;
                    move || build(arena, part)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (part, made) in parts.iter().enumerate() {
                    let numbers = (part * 1000..).take(steps(2000));
                    assert!(made.texts.iter().map(|text| &**text).eq(numbers.clone().map(|n| format!("<{n}>"))));
                    assert!(
                        made.texts.iter().all(|text| made.seen.contains(text)) && made.seen.len() == made.texts.len()
                    );
                    assert_eq!(*made.sum, numbers.clone().sum::<usize>());
                    assert_eq!(made.lengths.values().flatten().sum::<usize>(), *made.sum);
                    assert!(made.lengths.iter().all(|(len, of)| of.iter().all(|n| format!("<{n}>").len() == *len)));
                }
            });
        }
    });
    thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || drop(part));
        }
    });
    assert_eq!(arena.live_bytes(), 0, "all was given back to the arena, on other threads");
}
