//! Hashes that collide, chosen as no seed would choose them, and text as the region's memory shows it.

use super::InternerIter;
use super::index::Hash;
use super::inner::Inner;
use crate::region::Region;

fn inner(shards: usize) -> Inner {
    Inner::with_shards(Region::with_capacity(4 << 20).expect("a region"), shards).expect("an interner")
}

/// Interns `count` strings whose hashes `hash` gives, and finds each of them, and no other.
fn check(shards: usize, count: usize, hash: impl Fn(usize) -> u64) {
    let inner = inner(shards);
    for round in 0..2 {
        for index in 0..count {
            let (hash, text) = (Hash(hash(index)), format!("string {index}"));
            assert_eq!(inner.get(hash, &text).is_some(), round == 1, "{text}");
            let symbol = inner.intern(hash, &text).expect("room");
            assert_eq!((symbol.index(), inner.resolve(symbol)), (index, Some(&*text)));
            assert_eq!(inner.get(hash, &text), Some(symbol));
            assert_eq!(inner.get(hash, &format!("another {index}")), None);
        }
    }
    assert_eq!(inner.len(), count);
    assert!(InternerIter::new(Some(&inner)).map(|(symbol, _)| symbol.index()).eq(0..count));
}

#[test]
fn strings_with_one_hash_are_different_strings() {
    check(1, 500, |_| 0);
    check(4, 500, |_| u64::MAX);
}

#[test]
fn tags_that_differ_where_no_home_does_are_told_apart() {
    // One home in all tables of these lengths; then one for each two; then the table's last.
    check(1, 500, |index| (index as u64) << 20);
    check(1, 500, |index| index as u64 / 2);
    check(2, 500, |index| (index as u64 % 2) << 48 | ((1 << 30) - 1));
}

#[test]
fn prefixes_and_neighbours_with_one_hash_are_different_strings() {
    let inner = inner(1);
    for len in 0..32 {
        for changed in 0..=len {
            let mut text = vec![b'a'; len];
            text.iter_mut().skip(changed).take(1).for_each(|letter| *letter = b'b');
            let text = String::from_utf8(text).expect("letters");
            assert_eq!(inner.get(Hash(7), &text), None, "{text}");
            let before = inner.len();
            assert_eq!(inner.intern(Hash(7), &text).expect("room").index(), before);
        }
    }
}

/// A refusal in the middle of any growth leaves the tables as they were, and a later attempt goes on.
#[test]
fn every_refusal_on_the_way_leaves_everything_as_it_was() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let inner = Inner::with_shards(region.clone(), 2).expect("an interner");
    let mut refused = 0;
    for index in 0..5000u64 {
        let (hash, text) = (Hash(index.wrapping_mul(0x9E37_79B9_7F4A_7C15)), format!("{index}"));
        // First without a byte more, then with a few at a time, as long as that is not enough.
        for room in 0.. {
            region.set_limit(region.memory_usage() + room * 16);
            let before = (inner.len(), region.memory_usage(), region.stats().extents_used);
            match inner.intern(hash, &text) {
                Ok(symbol) => {
                    assert_eq!(symbol.index() as u64, index);
                    break;
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(
                        before,
                        (inner.len(), region.memory_usage(), region.stats().extents_used),
                        "room {room}"
                    );
                    assert_eq!((error.usage, error.limit), (before.1, region.limit()));
                    assert_eq!(inner.get(hash, &text), None);
                }
            }
        }
    }
    assert!(refused > 500, "{refused} refusals");
    region.verify().expect("every byte is in one place");
    drop(inner);
    assert_eq!(region.memory_usage(), 0);
}
