//! Collections of other crates over a heap, against the standard library's.

use std::collections::HashMap as StdMap;
use std::hash::BuildHasherDefault;

use crate::support::{Block, Random, assert_empty, give, give_each, heap, layout, regrow, steps, take};
use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec as ArenaVec;
use hashbrown::{DefaultHashBuilder, HashMap};
use sharded_arena::{Heap, allocator_api2};

/// FNV-1a: the same on every run.
#[derive(Default)]
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

/// A million operations on a map in `alloc` and on the standard library's: insert, remove, get, shrink, clear.
fn map_agrees<A: Allocator + Clone>(alloc: A, seed: u64, operations: usize) {
    let mut random = Random::seeded(seed);
    let mut map: HashMap<u64, ArenaVec<u8, A>, BuildHasherDefault<Fnv>, A> =
        HashMap::with_hasher_in(BuildHasherDefault::default(), alloc.clone());
    let mut oracle: StdMap<u64, Vec<u8>> = StdMap::new();
    for step in 0..operations {
        let key = random.next() % 5_000;
        match random.below(100) {
            0..50 => {
                let (len, byte) = (random.below(60), u8::try_from(random.below(256)).expect("a byte"));
                let mut value = ArenaVec::with_capacity_in(len / 2, alloc.clone());
                value.resize(len, byte);
                let (ours, theirs) = (map.insert(key, value), oracle.insert(key, vec![byte; len]));
                assert_eq!(ours.as_deref(), theirs.as_deref(), "step {step}");
            }
            50..80 => assert_eq!(map.remove(&key).as_deref(), oracle.remove(&key).as_deref(), "step {step}"),
            80..99 => assert_eq!(map.get(&key).map(|v| &v[..]), oracle.get(&key).map(|v| &v[..]), "step {step}"),
            _ if random.below(200) == 0 => {
                map.clear();
                oracle.clear();
                map.shrink_to_fit();
            }
            _ => map.shrink_to(oracle.len() * 2),
        }
    }
    assert_eq!(map.len(), oracle.len());
    assert!(oracle.iter().all(|(key, value)| map.get(key).is_some_and(|ours| ours[..] == value[..])));
}

#[test]
fn maps_agree_with_std() {
    let with_reference = heap(64 << 20, false);
    map_agrees(&with_reference, 0x31, steps(1_000_000));
    assert_empty(&with_reference);
    let with_handle = heap(4 << 20, false);
    map_agrees(with_handle.clone(), 0x32, steps(1_000_000));
    assert_empty(&with_handle);
    let checked = heap(4 << 20, true);
    map_agrees(&checked, 0x33, steps(100_000));
    assert_empty(&checked);
    let local = with_handle.local();
    map_agrees(&local, 0x34, steps(100_000));
    drop(local);
    assert_empty(&with_handle);
}

#[test]
fn refused_map_is_unchanged() {
    for checked in [false, true] {
        let heap = heap(64 << 10, checked);
        let mut map: HashMap<u32, [u8; 32], DefaultHashBuilder, &Heap> = HashMap::new_in(&heap);
        let mut key = 0;
        while map.try_reserve(1).is_ok() {
            map.insert(key, [u8::try_from(key % 251).expect("a byte"); 32]);
            key += 1;
        }
        assert!(key > 400, "{key} entries in 64 KiB");
        assert!((0..key).all(|key| map[&key] == [u8::try_from(key % 251).expect("a byte"); 32]));
        drop(map);
        assert_empty(&heap);
    }
}

/// Doubling from 16 bytes to more than half of the limit: beyond a third of it old and new do not fit side by side, so
/// the block has to grow where it is.
#[test]
fn vector_doubles_in_place_to_limit() {
    for checked in [false, true] {
        let heap = Heap::builder().capacity(1 << 20).checked(checked).quarantine(8).build().expect("a heap");
        let mut bytes = ArenaVec::new_in(&heap);
        let byte = |at: usize| u8::try_from(at % 251).expect("a byte");
        let mut capacity = 16;
        while capacity < 1 << 20 {
            bytes.try_reserve_exact(capacity - bytes.len()).expect("grows in place");
            while bytes.len() < bytes.capacity() {
                bytes.push(byte(bytes.len()));
            }
            capacity *= 2;
        }
        bytes.try_reserve_exact((1 << 20) - bytes.len()).expect("all of the limit");
        assert_eq!((bytes.capacity(), heap.memory_usage()), (1 << 20, 1 << 20));
        assert!(bytes.iter().enumerate().all(|(at, found)| *found == byte(at)));
        assert!(bytes.try_reserve(1 << 20).is_err());
        bytes.truncate(10);
        bytes.shrink_to_fit();
        assert!(bytes[..] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] && heap.memory_usage() < 4_096, "{}", heap.stats());
        drop(bytes);
        assert_empty(&heap);
    }
}

/// A region of three thirds; the middle one grows into a free neighbour that is behind it, before it, or both.
#[test]
fn large_block_grows_in_both_directions() {
    let third = layout(1 << 20, 16);
    for (free_low, free_high, size) in [(false, true, 2 << 20), (true, false, 2 << 20), (true, true, 3 << 20)] {
        let heap = heap(3 << 20, false);
        let [low, mut middle, high] = [(); 3].map(|()| Some(take(&heap, third).expect("a third")));
        for (free, block) in [(free_high, high), (free_low, low)] {
            if let Some(block) = block.filter(|_| free) {
                give(&heap, block);
            }
        }
        let middle = middle.as_mut().expect("taken above");
        let (at, peak) = (middle.ptr(), heap.peak_memory_usage());
        regrow(&heap, middle, layout(size, 16)).expect("the neighbours are free");
        assert_eq!(middle.ptr() == at, !free_low, "it moves only to grow to the left");
        assert_eq!(heap.peak_memory_usage(), peak, "charged with the difference only");
        assert!(regrow(&heap, middle, layout(size + 16, 16)).is_err());
        heap.region().verify().expect("every byte is in one place");
        regrow(&heap, middle, layout(100, 16)).expect("a shrink never fails");
        assert_eq!(heap.memory_usage(), (3 << 20) - size + 112);
    }
}

/// Blocks of any size and alignment, grown and shrunk at random; every block is checked at every change.
#[test]
fn random_resizes_keep_contents() {
    for (checked, capacity) in [(false, 1 << 20), (true, 1 << 20), (false, 64 << 20)] {
        let heap = heap(capacity, checked);
        let mut random = Random::seeded(0x6A0);
        let any = |random: &mut Random| {
            let most = [40, 300, 2_000, 9_000, 60_000][random.below(5)];
            layout(random.below(most), 1 << random.below(13))
        };
        let mut blocks: Vec<Block> = (0..40).map(|_| take(&heap, any(&mut random)).expect("room")).collect();
        let mut refused = 0;
        for _ in 0..steps(60_000) {
            let (at, new) = (random.below(blocks.len()), any(&mut random));
            let block = &mut blocks[at];
            let shrinks = new.size() <= block.size() && new.align() <= block.layout().align();
            if let Err(error) = regrow(&heap, block, new) {
                assert!(!shrinks, "a shrink never fails: {error}");
                refused += 1;
            }
        }
        assert!(refused < steps(60_000) / 2, "{refused} were refused");
        heap.region().verify().expect("every byte is in one place");
        #[cfg(feature = "stats")]
        assert_eq!(heap.live_bytes(), blocks.iter().map(Block::size).sum::<usize>());
        give_each(&heap, blocks);
        assert_empty(&heap);
    }
}

/// The same operations on a vector in the heap and on the standard library's.
#[test]
fn vector_agrees_with_std() {
    for checked in [false, true] {
        let heap = heap(256 << 10, checked);
        let mut random = Random::seeded(0x5EC);
        let (mut ours, mut theirs) = (ArenaVec::new_in(&heap), Vec::new());
        for step in 0..steps(20_000) {
            match random.below(8) {
                0..4 => {
                    let byte = u8::try_from(random.below(256)).expect("a byte");
                    let len = random.below(400).min(90_000 - theirs.len());
                    ours.extend(std::iter::repeat_n(byte, len));
                    theirs.extend(std::iter::repeat_n(byte, len));
                }
                4 => {
                    let len = random.below(theirs.len() + 1);
                    ours.truncate(len);
                    theirs.truncate(len);
                }
                5 => ours.shrink_to_fit(),
                6 => ours.reserve_exact(random.below(500)),
                _ => {
                    let rest = ours.split_off(ours.len() / 2);
                    ours.splice(0..0, rest);
                    let rest = theirs.split_off(theirs.len() / 2);
                    theirs.splice(0..0, rest);
                }
            }
            assert!(ours[..] == theirs[..], "step {step}");
        }
        drop(ours);
        assert_empty(&heap);
    }
}

#[test]
fn collections_are_dropped_on_other_threads() {
    for checked in [false, true] {
        let heap = heap(8 << 20, checked);
        for _ in 0..10 {
            let mut map: HashMap<u64, ArenaVec<u64, Heap>, DefaultHashBuilder, Heap> = HashMap::new_in(heap.clone());
            for key in 0..1_000 {
                let mut value = ArenaVec::new_in(heap.clone());
                value.extend(0..key % 40);
                map.insert(key, value);
            }
            let dropping = std::thread::spawn(move || {
                assert!(map.values().map(ArenaVec::len).sum::<usize>() == 25 * (0..40).sum::<usize>());
                drop(map);
            });
            dropping.join().expect("no panic");
        }
        std::thread::scope(|scope| {
            let mut numbers = ArenaVec::new_in(&heap);
            numbers.extend(0..10_000_u32);
            scope.spawn(move || drop(numbers)).join().expect("no panic");
        });
        assert_empty(&heap);
    }
}
