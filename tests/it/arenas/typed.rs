//! The typed methods of every arena: what each makes, and that its `try_` twin refuses and changes nothing.

use std::cell::Cell;
use std::mem::MaybeUninit;

use crate::support::{
    Log,
    typed::{Lying, Used},
};
use sharded_arena::{AllocErrorKind, AllocOrInitError};

/// More than any arena here has: those of 4096 bytes may take 8192 at most.
const TOO_MANY: usize = 10_000;
type TooLarge = [u8; TOO_MANY];

/// Asserts the refusal of `TOO_MANY` bytes.
macro_rules! assert_refused {
    ($answer:expr) => {{
        let error: sharded_arena::AllocError = $answer.expect_err("no arena here has so many bytes");
        assert_eq!((error.requested, error.kind), (TOO_MANY, AllocErrorKind::LimitReached), "{error}");
    }};
}

macro_rules! suite {
    ($with:ident) => {
        mod $with {
            use super::*;

            #[test]
            fn single_values_are_stored() {
                $with!(4096, arena => {
                    let (a, b, c) = (arena.alloc(1u8), arena.alloc(2u64), arena.alloc([3u16; 5]));
                    *a += 10;
                    *b += 10;
                    c[4] += 10;
                    let d = arena.alloc_with(|| String::from("made in place"));
                    let e: Result<&mut u32, &str> = arena.alloc_try_with(|| Ok(7));
                    assert_eq!(arena.try_alloc(8u8).map(|value| *value), Ok(8));
                    assert_eq!(arena.try_alloc_with(|| 9u8).map(|value| *value), Ok(9));
                    assert_eq!(arena.try_alloc_try_with(|| Ok::<u8, ()>(10)).map(|value| *value), Ok(10));
                    arena.alloc_uninit::<u32>().write(11);
                    assert_eq!(*arena.try_alloc_uninit::<u32>().expect("room").write(12), 12);
                    assert_eq!((*a, *b, *c, &**d, e), (11, 12, [3, 3, 3, 3, 13], "made in place", Ok(&mut 7)));
                    drop(std::mem::take(d));
                });
            }

            #[test]
            fn strings_are_copied_and_formatted() {
                $with!(4096, arena => {
                    let text = arena.alloc_str("Übermut");
                    text.make_ascii_uppercase();
                    assert_eq!(text, "ÜBERMUT");
                    assert_eq!(arena.try_alloc_str("").map(|text| text.len()), Ok(0));
                    assert_eq!(arena.alloc_cstr(c"zero"), c"zero");
                    assert_eq!(arena.try_alloc_cstr(c""), Ok(c""));
                    assert_eq!(arena.alloc_fmt(format_args!("literal")), "literal");
                    assert_eq!(arena.alloc_fmt(format_args!("{}{}", "", "")), "");
                    let block = arena.alloc_fmt(format_args!("block {:>300} of {:?}", 17, "chain"));
                    assert_eq!(*block, *format!("block {:>300} of {:?}", 17, "chain"));
                    assert_eq!(arena.try_alloc_fmt(format_args!("{:?}", [1, 2])).map(|text| &*text), Ok("[1, 2]"));
                });
            }

            #[test]
            fn unused_string_capacity_is_returned() {
                $with!(4096, arena => {
                    let before = arena.used();
                    let text = arena.alloc_fmt(format_args!("{:>100}", 5));
                    assert_eq!((text.len(), arena.used() - before), (100, 100));
                });
            }

            #[test]
            fn slices_are_copied_and_filled() {
                $with!(4096, arena => {
                    let names = [String::from("a"), String::from("b")];
                    assert_eq!(arena.alloc_slice_copy(&[1u16, 2, 3]), [1, 2, 3]);
                    assert_eq!(arena.try_alloc_slice_copy::<u64>(&[]).map(|slice| slice.len()), Ok(0));
                    let clones = arena.alloc_slice_clone(&names);
                    clones[0].push('!');
                    assert_eq!((&clones[0][..], &names[0][..]), ("a!", "a"));
                    assert_eq!(arena.alloc_slice_fill_copy(3, 7u32), [7; 3]);
                    assert_eq!(arena.try_alloc_slice_fill_copy(2000, 8u8).as_deref(), Ok(&[8; 2000][..]));
                    assert_eq!(*arena.alloc_slice_fill_clone(2, &names[1]), [names[1].clone(), names[1].clone()]);
                    assert_eq!(arena.alloc_slice_fill_default::<u64>(4), [0; 4]);
                    assert_eq!(arena.alloc_slice_fill_with(4, |index| index * index), [0, 1, 4, 9]);
                    assert_eq!(arena.alloc_slice_fill_iter([5u8, 6, 7]), [5, 6, 7]);
                    assert_eq!(arena.alloc_slice_fill_iter((0..3u32).rev()), [2, 1, 0]);
                    assert_eq!(arena.alloc_slice_try_fill_with(2, Ok::<_, ()>).as_deref(), Ok(&[0, 1][..]));
                    let read = arena.alloc_slice_try_fill_iter([Ok::<u8, ()>(1), Ok(2)]);
                    assert_eq!(read.as_deref(), Ok(&[1, 2][..]));
                    let places: &mut [MaybeUninit<u16>] = arena.alloc_slice_uninit(3);
                    assert_eq!(places.len(), 3);
                    assert_eq!(places[2].write(9), &9);
                    assert_eq!(arena.alloc_from_iter((0..100u64).filter(|n| n % 9 == 0)).len(), 12);
                    assert_eq!(arena.alloc_from_iter([1u8, 2]), [1, 2]);
                    assert_eq!(arena.alloc_from_iter(std::iter::empty::<u32>()).len(), 0);
                });
            }

            #[test]
            fn failed_initialiser_frees_its_memory() {
                $with!(4096, arena => {
                    // Padding in front of a first block would stay.
                    arena.alloc(0u64);
                    let (log, before) = (Log::leaked(), arena.used());
                    assert_eq!(arena.alloc_try_with(|| Err::<u64, _>("no")), Err("no"));
                    assert_eq!(arena.try_alloc_try_with(|| Err::<u64, _>("no")), Err(AllocOrInitError::Init("no")));
                    let step = |index| if index < 3 { Ok(log.make()) } else { Err(index) };
                    assert_eq!(arena.alloc_slice_try_fill_with(5, step).unwrap_err(), 3);
                    assert_eq!(arena.try_alloc_slice_try_fill_with(5, step).unwrap_err(), AllocOrInitError::Init(3));
                    assert_eq!(arena.alloc_slice_try_fill_iter((0..5).map(step)).unwrap_err(), 3);
                    assert!(arena.try_alloc_slice_try_fill_iter((0..5).map(step)).is_err());
                    log.assert_dropped(12, 1);
                    assert_eq!(arena.used(), before, "the memory came back");
                });
            }

            #[test]
            fn refusal_changes_and_runs_nothing() {
                $with!(4096, arena => {
                    let keeps = arena.alloc(5u64);
                    let (before, runs) = (arena.figures(), Cell::new(0));
                    let run = || runs.set(runs.get() + 1);
                    let large = vec![1u8; TOO_MANY];
                    let text = "x".repeat(TOO_MANY);
                    assert_refused!(arena.try_alloc::<TooLarge>([0; TOO_MANY]).map_err(|refused| refused.error));
                    assert_refused!(arena.try_alloc_with::<TooLarge>(|| { run(); [0; TOO_MANY] }));
                    assert_refused!(arena.try_alloc_try_with(|| { run(); Err::<TooLarge, ()>(()) }).map_err(alloc));
                    assert_refused!(arena.try_alloc_str(&text));
                    let zero_ended = std::ffi::CString::new(&text[1..]).expect("no zero byte");
                    assert_refused!(arena.try_alloc_cstr(&zero_ended));
                    assert!(arena.try_alloc_fmt(format_args!("{text}")).is_err());
                    assert_refused!(arena.try_alloc_slice_copy(&large));
                    assert_refused!(arena.try_alloc_slice_clone(&large));
                    assert_refused!(arena.try_alloc_slice_fill_copy(TOO_MANY, 1u8));
                    assert_refused!(arena.try_alloc_slice_fill_clone(TOO_MANY, &1u8));
                    assert_refused!(arena.try_alloc_slice_fill_default::<u8>(TOO_MANY));
                    assert_refused!(arena.try_alloc_slice_fill_with(TOO_MANY, |_| { run(); 1u8 }));
                    assert_refused!(arena.try_alloc_slice_fill_iter((0..5000u16).map(|n| { run(); n })));
                    let fails = |_| { run(); Err::<u8, ()>(()) };
                    assert_refused!(arena.try_alloc_slice_try_fill_with(TOO_MANY, fails).map_err(alloc));
                    assert_refused!(arena.try_alloc_slice_try_fill_iter((0..TOO_MANY).map(fails)).map_err(alloc));
                    assert_refused!(arena.try_alloc_uninit::<TooLarge>());
                    assert_refused!(arena.try_alloc_slice_uninit::<u8>(TOO_MANY));
                    assert_refused!(arena.try_alloc_layout(std::alloc::Layout::new::<TooLarge>()));
                    arena.assert_unchanged(before);
                    assert_eq!(runs.get(), 0);
                    // These two begin with less.
                    let error = arena.try_alloc_from_iter(0..TOO_MANY).expect_err("too many");
                    assert_eq!((arena.used(), error.kind), (before[0], AllocErrorKind::LimitReached));
                    assert!(arena.try_alloc_fmt(format_args!("{:1$}", 1, TOO_MANY)).is_err());
                    assert_eq!(arena.used(), before[0]);
                    assert_eq!(*keeps, 5);
                });
            }

            #[test]
            fn refused_value_is_returned() {
                $with!(4096, arena => {
                    let log = Log::leaked();
                    let refused = arena.try_alloc((log.make(), [0u8; TOO_MANY])).expect_err("too large");
                    log.assert_dropped(1, 0);
                    assert_eq!(refused.to_string(), refused.error.to_string());
                    assert!(refused.into_value().0.id == 0);
                    log.assert_dropped(1, 1);
                });
            }

            #[test]
            fn overflowing_length_is_an_error() {
                $with!(4096, arena => {
                    let before = arena.used();
                    for len in [usize::MAX, usize::MAX / 8, usize::MAX / 8 + 1, usize::MAX / 8 + 2, (1 << 60)] {
                        let errors = [
                            arena.try_alloc_slice_uninit::<u64>(len).map(drop).unwrap_err(),
                            arena.try_alloc_slice_fill_copy(len, 1u64).map(drop).unwrap_err(),
                            arena.try_alloc_slice_fill_clone(len, &1u64).map(drop).unwrap_err(),
                            arena.try_alloc_slice_fill_default::<u64>(len).map(drop).unwrap_err(),
                            arena.try_alloc_slice_fill_with(len, |_| -> u64 { panic!("called") }).map(drop).unwrap_err(),
                            alloc(arena.try_alloc_slice_try_fill_with(len, |_| Err::<u64, ()>(())).unwrap_err()),
                            arena.try_alloc_slice_fill_iter(Lying { says: len, values: 0u64.. }).map(drop).unwrap_err(),
                        ];
                        for error in errors {
                            assert_eq!((error.kind, error.align), (AllocErrorKind::InvalidLayout, 8), "{len}");
                            assert_eq!(error.requested, len.saturating_mul(8));
                        }
                    }
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn lying_iterators_are_safe() {
                $with!(4096, arena => {
                    let mut rest = 0..10u8;
                    assert_eq!(arena.alloc_slice_fill_iter(Lying { says: 4, values: rest.by_ref() }), [0, 1, 2, 3]);
                    assert_eq!(rest.next(), Some(4), "no more was asked for");
                    assert_eq!(arena.alloc_slice_fill_iter(Lying { says: 3, values: 7u64.. }), [7, 8, 9]);
                    for says in [0, 1, 9, 10, 11, 1000, 1 << 40, usize::MAX] {
                        let values = arena.alloc_from_iter(Lying { says, values: (0..10u64).map(|n| n * 3) });
                        assert_eq!(values, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27], "{says}");
                    }
                });
            }

            #[test]
            fn endless_iterator_is_refused() {
                $with!(1 << 14, arena => {
                    arena.alloc(0u64);
                    let (log, before) = (Log::leaked(), arena.used());
                    assert!(arena.try_alloc_from_iter(std::iter::repeat_with(|| log.make())).is_err());
                    assert!(log.made() > 100, "it grew as long as it could");
                    log.assert_dropped(log.made(), 1);
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn collected_slice_has_no_slack() {
                $with!(4096, arena => {
                    let before = arena.used();
                    let values = arena.alloc_from_iter((0..777u64).filter(|n| n % 2 == 0).map(|_| 7u8));
                    assert_eq!((values.len(), arena.used() - before), (389, 389));
                });
                // A length that doubles past the end still finds what there is.
                $with!(3800, arena => {
                    let values = arena.try_alloc_from_iter((0..3001u16).map(|_| 7u8).filter(|_| true));
                    assert_eq!(values.map(|values| values.len()), Ok(3001));
                });
            }

            #[test]
            fn zero_sized_values_take_no_memory() {
                $with!(4096, arena => {
                    let (log, before) = (Cell::new(0), arena.used());
                    assert_eq!(std::ptr::from_ref(arena.alloc(Nothing)).addr() % 64, 0);
                    arena.alloc_with(|| log.set(1));
                    assert_eq!(arena.alloc_slice_fill_with(1000, |_| log.set(log.get() + 1)).len(), 1000);
                    assert_eq!(log.get(), 1001);
                    assert_eq!(arena.alloc_slice_fill_copy(usize::MAX, ()).len(), usize::MAX);
                    assert_eq!(arena.alloc_slice_uninit::<Nothing>(usize::MAX).len(), usize::MAX);
                    assert_eq!(arena.alloc_slice_copy(&[(); usize::MAX]).len(), usize::MAX);
                    assert_eq!(arena.alloc_from_iter((0..1000).map(|_| Nothing)).len(), 1000);
                    assert_eq!(arena.alloc_from_iter(Lying { says: usize::MAX, values: [(); 3].into_iter() }).len(), 3);
                    let layout = std::alloc::Layout::from_size_align(0, 1 << 20).expect("a layout");
                    assert_eq!(arena.alloc_layout(layout).addr().get(), 1 << 20);
                    assert_eq!(NOTHING_DROPPED.get(), 0, "the arena drops nothing");
                    let fails = |index| if index < 5 { Ok(Nothing) } else { Err(index) };
                    assert_eq!(arena.alloc_slice_try_fill_with(usize::MAX, fails).err(), Some(5));
                    assert_eq!(NOTHING_DROPPED.replace(0), 5, "what was made in vain is");
                    assert_eq!(arena.used(), before);
                });
            }

            #[test]
            fn every_alignment_up_to_a_page() {
                $with!(1 << 17, arena => {
                    macro_rules! aligned {
                        ($align:literal) => {{
                            #[repr(align($align))]
                            #[derive(Clone, Copy, Default)]
                            #[allow(dead_code, reason = "only its address is looked at")]
                            struct Aligned(u8);
                            arena.alloc(1u8);
                            let one = std::ptr::from_ref(arena.alloc(Aligned(1))).addr();
                            arena.alloc(1u8);
                            let made = std::ptr::from_ref(arena.alloc_with(Aligned::default)).addr();
                            arena.alloc(1u8);
                            let several = arena.alloc_slice_copy(&[Aligned(2); 2]).as_ptr().addr();
                            arena.alloc(1u8);
                            let grown = arena.alloc_from_iter((0..3).filter(|_| true).map(Aligned)).as_ptr().addr();
                            assert_eq!([one % $align, made % $align, several % $align, grown % $align], [0; 4]);
                        }};
                    }
                    aligned!(2); aligned!(4); aligned!(8); aligned!(16); aligned!(32); aligned!(64);
                    aligned!(128); aligned!(256); aligned!(512); aligned!(1024); aligned!(2048); aligned!(4096);
                });
            }
        }
    };
}

macro_rules! exact_suite {
    ($with:ident) => {
        mod $with {
            #[test]
            fn doubling_finds_the_last_byte() {
                $with!(3001, arena => {
                    let values = arena.try_alloc_from_iter((0..3001u16).map(|_| 7u8).filter(|_| true));
                    assert_eq!(values.map(|values| values.len()), Ok(3001));
                    assert!(arena.try_alloc(1u8).is_err());
                });
            }
        }
    };
}

thread_local!(static NOTHING_DROPPED: Cell<u32> = const { Cell::new(0) });

/// No bytes, but an alignment, and a destructor that counts.
#[repr(align(64))]
struct Nothing;

impl Drop for Nothing {
    fn drop(&mut self) {
        NOTHING_DROPPED.set(NOTHING_DROPPED.get() + 1);
    }
}

/// The refusal of a twin whose closure can fail too.
#[expect(clippy::needless_pass_by_value, reason = "an argument of `map_err`")]
fn alloc<E>(error: AllocOrInitError<E>) -> sharded_arena::AllocError {
    let AllocOrInitError::Alloc(error) = error else { panic!("it was run") };
    error
}

for_every_arena! { suite }
mod exact {
    for_every_exact_arena! { exact_suite }
}
