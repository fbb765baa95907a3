//! What makes values panics, fails, re-enters or lies at every step: each value that was made is dropped once, nothing
//! else is, and the memory comes back.

use crate::support::{
    Log, Tracked, panic_of, panic_text,
    typed::{Lying, Used},
};
use std::cell::Cell;
use std::fmt;

const LEN: usize = 6;

thread_local! {
    /// Defaults that are left before one panics.
    static DEFAULTS_LEFT: Cell<usize> = const { Cell::new(0) };
}

struct Defaulted(#[allow(dead_code, reason = "its drop counts")] Option<Tracked<'static>>);

thread_local! {
    static DEFAULT_LOG: &'static Log = Log::leaked();
}

impl Default for Defaulted {
    fn default() -> Self {
        let left = DEFAULTS_LEFT.get();
        assert!(left > 0, "step");
        DEFAULTS_LEFT.set(left - 1);
        Self(Some(DEFAULT_LOG.with(|log| log.make())))
    }
}

/// A value whose clone panics once `left` clones were made.
struct Clones<'l> {
    left: &'static Cell<usize>,
    value: Tracked<'l>,
}

impl Clone for Clones<'_> {
    fn clone(&self) -> Self {
        assert!(self.left.get() > 0, "step");
        self.left.set(self.left.get() - 1);
        Self { left: self.left, value: self.value.clone() }
    }
}

/// Panics at step `at`, makes a value before.
fn step(log: &Log, at: usize, index: usize) -> Tracked<'_> {
    assert!(index != at, "step");
    log.make()
}

/// Runs `$run` at every step: it panics there, what it made is dropped once, and the memory comes back.
macro_rules! at_every_step {
    ($arena:ident, |$log:ident, $at:ident| $run:expr) => {
        for $at in 0..LEN {
            let ($log, before) = (Log::leaked(), $arena.used());
            assert_eq!(
                panic_text(|| {
                    let _ = $run;
                }),
                "step"
            );
            $log.assert_dropped($at, 1);
            assert_eq!($arena.used(), before, "step {}", $at);
        }
    };
}

/// Fails to be shown, after some text.
struct Fails;

impl fmt::Display for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some text")?;
        Err(fmt::Error)
    }
}

/// Panics when shown, after some text.
struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some text")?;
        panic!("shown");
    }
}

/// Writes more than there is room for and says that all is well.
struct Swallows;

impl fmt::Display for Swallows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..1000 {
            let _ = f.write_str("ten bytes.");
        }
        Ok(())
    }
}

/// An iterator whose destructor panics.
struct PanicsAtTheEnd<I>(I);

impl<I: Iterator> Iterator for PanicsAtTheEnd<I> {
    type Item = I::Item;
    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

impl<I> Drop for PanicsAtTheEnd<I> {
    fn drop(&mut self) {
        panic!("the end");
    }
}

macro_rules! suite {
    ($with:ident) => {
        mod $with {
            use super::*;

            #[test]
            fn panic_at_any_step_frees_all() {
                $with!(4096, arena => {
                    // Padding in front of a first block would stay.
                    arena.alloc(0u64);
                    at_every_step!(arena, |log, at| arena.alloc_slice_fill_with(LEN, |index| step(log, at, index)));
                    at_every_step!(arena, |log, at| arena.try_alloc_slice_fill_with(LEN, |index| step(log, at, index)));
                    at_every_step!(arena, |log, at| {
                        arena.alloc_slice_fill_iter((0..LEN).map(|index| step(log, at, index)))
                    });
                    at_every_step!(arena, |log, at| arena.alloc_from_iter((0..LEN).map(|index| step(log, at, index))));
                    at_every_step!(arena, |log, at| {
                        arena.alloc_from_iter((0..LEN).map(|index| step(log, at, index)).filter(|_| true))
                    });
                    at_every_step!(arena, |log, at| {
                        arena.alloc_slice_try_fill_with(LEN, |index| Ok::<_, ()>(step(log, at, index)))
                    });
                    at_every_step!(arena, |log, at| {
                        arena.alloc_slice_try_fill_iter((0..LEN).map(|index| Ok::<_, ()>(step(log, at, index))))
                    });
                });
            }

            #[test]
            fn panicking_clone_frees_all() {
                $with!(4096, arena => {
                    arena.alloc(0u64);
                    for at in 0..LEN {
                        let (log, left, before) = (Log::leaked(), Box::leak(Box::new(Cell::new(at))), arena.used());
                        let source: Vec<_> = (0..LEN).map(|_| Clones { left, value: log.make() }).collect();
                        assert_eq!(panic_text(|| arena.alloc_slice_clone(&source).len()), "step");
                        assert_eq!(source.iter().map(|clones| clones.value.id).sum::<usize>(), LEN * (LEN - 1) / 2);
                        left.set(at);
                        assert_eq!(panic_text(|| arena.alloc_slice_fill_clone(LEN, &source[0]).len()), "step");
                        drop(source);
                        log.assert_dropped(LEN + 2 * at, 1);
                        assert_eq!(arena.used(), before);
                    }
                });
            }

            #[test]
            fn panicking_default_frees_all() {
                $with!(4096, arena => {
                    arena.alloc(0u64);
                    for at in 0..LEN {
                        let (before, log) = (arena.used(), DEFAULT_LOG.with(|log| *log));
                        DEFAULTS_LEFT.set(at);
                        let made = log.made();
                        assert_eq!(panic_text(|| arena.alloc_slice_fill_default::<Defaulted>(LEN).len()), "step");
                        log.assert_dropped(log.made(), 1);
                        assert_eq!((arena.used(), log.made() - made), (before, at));
                    }
                });
            }

            #[test]
            fn panicking_initialiser_frees_its_memory() {
                $with!(4096, arena => {
                    arena.alloc(0u64);
                    let before = arena.used();
                    assert_eq!(panic_text(|| arena.alloc_with(|| -> u64 { panic!("made") })), "made");
                    assert_eq!(panic_text(|| arena.alloc_try_with(|| -> Result<u64, ()> { panic!("made") })), "made");
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn panicking_destructor_during_undo_frees_all() {
                $with!(4096, arena => {
                    arena.alloc(0u64);
                    for panicking in 0..LEN {
                        let (log, before) = (Log::leaked(), arena.used());
                        let make = |index: usize| match index {
                            LEN => Err(()),
                            _ if index == panicking => Ok(log.make_panicking()),
                            _ => Ok(log.make()),
                        };
                        let text = panic_text(|| drop(arena.alloc_slice_try_fill_with(LEN + 1, make)));
                        assert_eq!(text, panic_of(panicking));
                        log.assert_dropped(LEN, 1);
                        assert_eq!(arena.used(), before);
                    }
                });
            }

            #[test]
            fn iterator_panicking_on_drop_frees_all() {
                $with!(4096, arena => {
                    arena.alloc(0u64);
                    let (log, before) = (Log::leaked(), arena.used());
                    let values = || PanicsAtTheEnd((0..LEN).map(|_| log.make()));
                    assert_eq!(panic_text(|| arena.alloc_from_iter(values()).len()), "the end");
                    let sized = Lying { says: LEN, values: values() };
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_iter(sized).len()), "the end");
                    log.assert_dropped(2 * LEN, 1);
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn short_iterator_panics_and_frees_all() {
                $with!(4096, arena => {
                    arena.alloc(0u64);
                    let (log, before) = (Log::leaked(), arena.used());
                    let few = || Lying { says: 9, values: (0..LEN).map(|_| log.make()) };
                    let text = "the iterator said it had 9 values and yielded 6";
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_iter(few()).len()), text);
                    assert_eq!(panic_text(|| arena.try_alloc_slice_fill_iter(few()).is_ok()), text);
                    let few = || Lying { says: 9, values: (0..LEN).map(|_| Ok::<_, ()>(log.make())) };
                    assert_eq!(panic_text(|| arena.alloc_slice_try_fill_iter(few()).is_ok()), text);
                    log.assert_dropped(3 * LEN, 1);
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn refused_collection_is_undone() {
                $with!(1024, arena => {
                    arena.alloc(0u64);
                    let (log, before) = (Log::leaked(), arena.used());
                    assert!(arena.try_alloc_from_iter((0..100).map(|_| log.make())).is_err());
                    assert!(panic_text(|| arena.alloc_from_iter((0..100).map(|_| log.make())).len()).contains("limit reached"));
                    log.assert_dropped(log.made(), 1);
                    assert!(log.made() > 10, "it believed no hint that does not fit");
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn infallible_methods_panic_with_error_text() {
                $with!(256, arena => {
                    let text = arena.try_alloc_layout(std::alloc::Layout::new::<[u64; 100]>()).unwrap_err().to_string();
                    assert!(text.contains("800 bytes (alignment 8)"), "{text}");
                    let source = [0u64; 100];
                    assert_eq!(panic_text(|| arena.alloc([0u64; 100]).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_with(|| [0u64; 100]).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_try_with(|| Ok::<_, ()>([0u64; 100])).is_ok()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_copy(&source).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_clone(&source).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_copy(100, 0u64).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_clone(100, &0u64).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_default::<u64>(100).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_with(100, |_| 0u64).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_fill_iter(source).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_try_fill_with(100, |_| Ok::<_, ()>(0u64)).is_ok()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_try_fill_iter(source.map(Ok::<_, ()>)).is_ok()), text);
                    assert_eq!(panic_text(|| arena.alloc_uninit::<[u64; 100]>().as_ptr()), text);
                    assert_eq!(panic_text(|| arena.alloc_slice_uninit::<u64>(100).len()), text);
                    assert_eq!(panic_text(|| arena.alloc_layout(std::alloc::Layout::new::<[u64; 100]>())), text);
                    let bytes = arena.try_alloc_layout(std::alloc::Layout::new::<[u8; 800]>()).unwrap_err().to_string();
                    assert_eq!(panic_text(|| arena.alloc_str(&"x".repeat(800)).len()), bytes);
                    let zero_ended = std::ffi::CString::new("x".repeat(799)).expect("no zero byte");
                    assert_eq!(panic_text(|| arena.alloc_cstr(&zero_ended).to_bytes().len()), bytes);
                    assert!(panic_text(|| arena.alloc_fmt(format_args!("{:800}", 1)).len()).contains("limit reached"));
                });
            }

            #[test]
            fn failing_display_panics_or_is_ignored() {
                $with!(256, arena => {
                    let before = arena.used();
                    let failed = "a formatting trait implementation returned an error";
                    assert_eq!(panic_text(|| arena.alloc_fmt(format_args!("{Fails}")).len()), failed);
                    assert_eq!(panic_text(|| arena.try_alloc_fmt(format_args!("{Fails}")).is_ok()), failed);
                    assert_eq!(panic_text(|| arena.alloc_fmt(format_args!("{Panics}")).len()), "shown");
                    assert!(arena.try_alloc_fmt(format_args!("{Swallows}")).is_err(), "a cut text is none");
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn initialisers_may_allocate_from_the_arena() {
                $with!(1 << 14, arena => {
                    let outer = arena.alloc_with(|| arena.alloc(1u64));
                    **outer += 1;
                    let pairs = arena.alloc_slice_fill_with(20, |index| (index, arena.alloc(index)));
                    let grown = arena.alloc_from_iter((0..20).filter(|_| true).map(|index| (index, arena.alloc_fmt(format_args!("<{index}>")))));
                    let nested = arena.alloc_fmt(format_args!("{}", Nested(&|f| {
                        (0..20).try_for_each(|index| write!(f, "{}", arena.alloc_fmt(format_args!("[{index}]"))))
                    })));
                    let failed = arena.alloc_try_with(|| Err::<u64, _>(arena.alloc(3u64)));
                    let failed = failed.expect_err("it failed");
                    let after = arena.alloc_slice_fill_copy(100, 0xFFu8);
                    assert_eq!((**outer, *failed), (2, 3));
                    assert!(pairs.iter().enumerate().all(|(index, pair)| (pair.0, *pair.1) == (index, index)));
                    assert!(grown.iter().enumerate().all(|(n, pair)| pair.0 == n && *pair.1 == *format!("<{n}>")));
                    assert_eq!(*nested, *(0..20).map(|index| format!("[{index}]")).collect::<String>());
                    assert!(after.iter().all(|byte| *byte == 0xFF));
                });
            }

            #[test]
            fn panic_leaves_inner_allocation_alone() {
                $with!(4096, arena => {
                    let (log, kept) = (Log::leaked(), Cell::new(None));
                    let text = panic_text(|| arena.alloc_slice_fill_with(3, |index| {
                        if index == 2 { kept.set(Some(arena.alloc(7u64))); }
                        step(log, 2, index)
                    }).len());
                    let more = arena.alloc_slice_fill_copy(64, u64::MAX);
                    assert_eq!((&*text, kept.take().map(|kept| *kept), more[63]), ("step", Some(7), u64::MAX));
                    log.assert_dropped(2, 1);
                });
            }
        }
    };
}

/// Shows what a closure writes.
struct Nested<'f>(&'f dyn Fn(&mut fmt::Formatter<'_>) -> fmt::Result);

impl fmt::Display for Nested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

for_every_arena! { suite }
