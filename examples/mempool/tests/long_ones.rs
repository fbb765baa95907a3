//! Transactions that are long beside the limit.

use sharded_arena::Heap;

use crate::backend::Backend;
use crate::block::Source;
use crate::lengths::Lengths;
use crate::pool::{Counts, Draws, Pool};

use super::{counted, sources};

/// A long transaction; its id draws the fee rate `fee_rate` for the first copy.
fn long(bytes: usize, fee_rate: u8) -> Source {
    let mut txid = [0x77; 32];
    txid[..4].copy_from_slice(&[fee_rate, 0, 0, 0]);
    txid[8..16].copy_from_slice(&bytes.to_le_bytes());
    Source::new(&vec![7; bytes], txid)
}

/// Offers all sources and confirms a block, by turns; the mean of live / limit in thousandths from the first refusal
/// on.
fn density<B: Backend>(backend: &B, sources: &[Source], rounds: u64) -> (u128, Counts) {
    let pool = Pool::new(backend, Lengths::of(sources, backend.limit_bytes()).unwrap()).unwrap();
    let (mut counts, mut draws) = (Counts::default(), Draws::new(1));
    let (mut sum, mut samples) = (0, 0);
    for round in 0..rounds {
        for (source, index) in sources.iter().zip(0..) {
            pool.offer(source, index, round, &mut draws, &mut counts);
            if index % 32 == 0 && pool.is_pressed() {
                sum += backend.live_bytes() as u128;
                samples += 1;
                if samples % 26 == 0 {
                    pool.confirm(pool.capacity() / 24, &mut draws);
                }
            }
            assert!(backend.usage_bytes() <= backend.limit_bytes());
        }
    }
    assert_eq!(pool.verify(sources).1, 0);
    (sum * 1000 / samples / backend.limit_bytes() as u128, counts)
}

#[test]
fn one_huge_transaction_leaves_density() {
    let mut sources = sources();
    sources.insert(1000, long(30_000_000, 255));
    let heap = Heap::with_capacity(8 << 20).unwrap();
    let (permille, counts) = density(&heap, &sources, 16);
    assert!(permille >= 840, "{permille} {counts:?}");
    assert_eq!(counts.rejected_long, 16);
}

#[test]
fn some_long_transactions_leave_density() {
    let mut sources = sources();
    sources.insert(500, long(400_000, 0));
    sources.insert(1500, long(500_000, 0));
    let heap = Heap::with_capacity(8 << 20).unwrap();
    let (permille, counts) = density(&heap, &sources, 16);
    assert!(permille >= 840, "{permille} {counts:?}");
}

/// Nor does one that fills a third of the pool while it is there narrow the index for those in its place.
#[test]
fn index_has_room_beside_long_ones() {
    let mut sources = sources();
    sources.insert(1500, long(3_000_000, 0));
    let heap = Heap::with_capacity(8 << 20).unwrap();
    let (_, counts) = density(&heap, &sources, 16);
    assert!(counts.admitted > counts.evicted && counts.index_full == 0, "{counts:?}");
}

/// Neither a record beyond the room nor one that only better-paying ones leave no room for evicts anything.
#[test]
fn hopeless_transactions_evict_nothing() {
    let (backend, sources) = (counted(1 << 20), sources());
    let pool = Pool::new(&backend, super::LENGTHS).unwrap();
    let (mut counts, mut draws) = (Counts::default(), Draws::new(1));
    for (source, index) in sources.iter().zip(0..) {
        pool.offer(source, index, 0, &mut draws, &mut counts);
    }
    assert!(pool.is_pressed());
    let (len, evicted, rejected) = (pool.len(), counts.evicted, counts.rejected_long);
    for hopeless in [long(2 << 20, 255), long(1 << 20, 255), long(700_000, 255)] {
        pool.offer(&hopeless, 0, 0, &mut draws, &mut counts);
    }
    assert_eq!((pool.len(), counts.evicted, counts.rejected_long), (len, evicted, rejected + 3), "{counts:?}");
}

#[test]
fn index_is_sized_by_spread_too() {
    let even = Lengths { mean: 428, deviation: 0 };
    assert_eq!(even.entries(500_000), 1125);
    let uneven = Lengths { mean: 428, deviation: 5000 };
    assert!(uneven.entries(500_000) > 1500 && uneven.entries(500_000) <= 2000);
    let mut sources = sources();
    let before = Lengths::of(&sources, 8 << 20);
    sources.push(long(30_000_000, 0));
    assert_eq!(Lengths::of(&sources, 8 << 20), before);
    assert_eq!(Lengths::of(&sources[2500..], 8 << 20), None);
}
