//! Run with `cargo test --example mempool`.

mod block_files;
mod long_ones;
mod terminal;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sharded_arena::Heap;
use sharded_arena::allocator_api2::alloc::Global;

use crate::backend::Backend;
use crate::block::{self, Source, drawn_fee_rate};
use crate::half::Half;
use crate::lengths::Lengths;
use crate::options::{self, Options};
use crate::pool::{Counts, Draws, Pool};
use crate::record::{self, Draft, PIECE_BYTES, PREFIX_BYTES};
use crate::report::grouped;
use crate::stripe::{Newcomer, Rejection, Stripe};
use crate::system::Counted;

/// Nearly those of the block.
const LENGTHS: Lengths = Lengths { mean: 550, deviation: 500 };

fn counted(limit_bytes: usize) -> Counted<Global> {
    Counted::new(limit_bytes, Global)
}

fn parsed(args: &[&str]) -> Result<Option<Options>, String> {
    options::parse(lexopt::Parser::from_args(args))
}

#[test]
fn limits_with_and_without_units() {
    let limits = [
        ("65536", 1 << 16),
        ("8MiB", 8 << 20),
        ("32M", 32 << 20),
        ("1GiB", 1 << 30),
        ("64k", 1 << 16),
        ("1.5MiB", 3 << 19),
        ("64KB", 64_000),
        ("0.25 GB", 250_000_000),
        ("68719472640", (64 << 30) - 4096),
    ];
    for (text, bytes) in limits {
        let options = Options { limit_bytes: bytes, limit_text: text.to_owned(), ..Options::default() };
        assert_eq!(parsed(&["--limit", text]), Ok(Some(options)));
    }
}

#[test]
fn limit_too_large_names_the_greatest() {
    for text in ["100GiB", "64GiB", "18446744073709551615GiB", "99999999999999999999999999999999999999999999"] {
        let problem = parsed(&["--limit", text]).unwrap_err();
        assert!(problem.contains(text) && problem.contains("68719472640"), "{problem}");
    }
}

#[test]
fn bad_options_are_named() {
    let bad = [
        ["--limit", "0"],
        ["--limit", "-1"],
        ["--limit", "63.9KB"],
        ["--limit", "8MX"],
        ["--limit", "1.5.5MiB"],
        ["--limit", ".5GiB"],
        ["--limit", "MiB"],
        ["--limit", "18446744073709551615GiB"],
        ["--threads", "0"],
        ["--threads", "1025"],
        ["--seconds", "nan"],
        ["--seconds", "-6"],
    ];
    for [option, value] in bad {
        let problem = parsed(&[option, value]).unwrap_err();
        assert!(problem.contains(option) && problem.contains(value), "{problem}");
    }
    assert!(parsed(&["--nonsense"]).unwrap_err().contains("--nonsense"));
    assert!(parsed(&["--block"]).unwrap_err().contains("--block"));
}

#[cfg(unix)]
#[test]
fn text_that_is_not_unicode_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let not_unicode = [OsString::from("--limit"), OsString::from_vec(vec![0xff])];
    assert!(options::parse(lexopt::Parser::from_args(not_unicode)).unwrap_err().contains("Unicode"));
}

/// Every length about the borders of pieces comes back as it was stored, and all memory with it.
#[test]
fn records_come_back() {
    let backend = counted(1 << 20);
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(170_000).collect();
    let borders = (1..5).flat_map(|pieces| pieces * PIECE_BYTES - 50..pieces * PIECE_BYTES + 20);
    for len in (0..20).chain(borders).chain([170_000]) {
        let mut draft = Draft::new(*b"a prefix", &bytes[..len]);
        while !draft.is_complete() {
            draft.store_piece(&backend).unwrap();
        }
        let record = draft.into_stored().unwrap();
        let mut read = Vec::new();
        record.read_into(&mut read);
        assert_eq!((read.len(), &read[..8], &read[8..]), (PREFIX_BYTES + len, &b"a prefix"[..], &bytes[..len]));
        record::free(&backend, [record]);
        assert_eq!(backend.live_bytes(), 0);
    }
}

/// A record that was stored in part is freed in whole.
#[test]
fn a_refused_record_leaves_nothing() {
    let backend = counted(20_000);
    let bytes = vec![7; 30_000];
    let mut draft = Draft::new([0; PREFIX_BYTES], &bytes);
    let refused = loop {
        if let Err(refused) = draft.store_piece(&backend) {
            break refused;
        }
    };
    assert_eq!(refused.bytes, PIECE_BYTES);
    assert!(backend.live_bytes() > 12_000);
    record::free(&backend, draft.into_stored());
    assert_eq!(backend.live_bytes(), 0);
}

/// The oldest of the lowest fee rate is evicted, the oldest of the highest confirmed; lengths tell which it was.
#[test]
fn a_stripe_gives_its_lowest_and_its_best() {
    let backend = counted(1 << 20);
    let mut stripe = Stripe::with_capacity(5, &backend).unwrap();
    let mut id = [0; 32];
    for (fee_rate, len) in [(500, 10), (7, 20), (999, 30), (7, 40), (999, 50)] {
        let bytes = vec![0; len];
        let mut draft = Draft::new([0; PREFIX_BYTES], &bytes);
        draft.store_piece(&backend).unwrap();
        id[0] += 1;
        stripe.insert(Newcomer { id, fee_rate, source: 0 }, draft.into_stored().unwrap());
        assert!(stripe.contains(&id));
    }
    assert_eq!((stripe.vacant(), stripe.floor()), (0, Some(7)));
    assert_eq!(stripe.evict_below(7, 1000).unwrap_err(), Rejection::Lowest);
    assert_eq!(stripe.evict_below(8, 19).unwrap_err(), Rejection::TooCostly);
    let mut taken = Vec::new();
    for len in [20, 40] {
        let (record, tx_bytes) = stripe.evict_below(8, len).unwrap();
        assert_eq!(tx_bytes, len);
        taken.push(record);
    }
    assert_eq!(stripe.evict_below(8, 1000).unwrap_err(), Rejection::Lowest);
    assert!(stripe.take_best(2, &mut taken) && stripe.take_best(2, &mut taken) && !stripe.take_best(2, &mut taken));
    let lengths: Vec<_> = taken.iter().map(|record| record.len() - PREFIX_BYTES).collect();
    assert_eq!(lengths, [20, 40, 30, 50, 10]);
    assert_eq!((stripe.len(), stripe.vacant(), stripe.floor()), (0, 5, None));
    assert!(!stripe.contains(&id));
    record::free(&backend, taken);
}

fn sources() -> Vec<Source> {
    block::mainnet().unwrap()
}

#[test]
fn copies_have_ids_of_their_own() {
    let sources = sources();
    assert_eq!(sources.len(), 2500);
    let mut ids: Vec<_> = sources.iter().flat_map(|source| (0..4).map(|copy| source.id(copy))).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|id| drawn_fee_rate(id) < block::FEE_RATES));
}

/// Blocks take the best, the limit takes the lowest, and the pool gives everything back.
fn keeps_its_order_and_its_limit<B: Backend>(backend: &B) {
    let sources = sources();
    let (mut counts, mut draws) = (Counts::default(), Draws::new(1));
    let pool = Pool::new(backend, LENGTHS).unwrap();
    for (source, index) in sources.iter().zip(0..) {
        pool.offer(source, index, 0, &mut draws, &mut counts);
        assert!(backend.usage_bytes() <= backend.limit_bytes());
    }
    assert!(pool.is_pressed() && counts.evicted > 0, "{counts:?}");
    assert_eq!(counts.admitted - counts.evicted, pool.len() as u64);
    assert_eq!(pool.verify(&sources), (pool.len() as u64, 0));
    assert_eq!(pool.confirm(100, &mut draws), 100);
    assert_eq!(counts.admitted - counts.evicted - 100, pool.len() as u64);
    assert!(pool.damage_one());
    assert_eq!(pool.verify(&sources), (pool.len() as u64 - 1, 1));
    drop(pool);
    assert_eq!(backend.live_bytes(), 0);
}

#[test]
fn a_pool_on_the_system_allocator() {
    keeps_its_order_and_its_limit(&counted(1 << 20));
}

#[test]
fn a_pool_on_a_heap() {
    let heap = Heap::with_capacity(1 << 20).unwrap();
    keeps_its_order_and_its_limit(&heap);
    heap.flush();
    assert_eq!(heap.memory_usage(), 0);
}

#[test]
fn threads_share_a_pool() {
    let (backend, sources) = (counted(1 << 20), sources());
    let running = AtomicBool::new(false);
    let mut half = Half::new(Pool::new(&backend, LENGTHS).unwrap(), 3, &sources);
    half.run_slice(&sources, Duration::from_millis(50), &running, |_| {});
    half.run_slice(&sources, Duration::from_millis(50), &running, |_| {});
    let counts = half.counts();
    assert_eq!(counts.offered, counts.admitted + counts.rejected());
    assert_eq!(counts.admitted - counts.evicted - counts.confirmed, half.pool.len() as u64);
    assert_eq!(half.pool.verify(&sources), (half.pool.len() as u64, 0));
    assert_eq!(half.samples.violations, 0);
}

#[test]
fn digits_in_groups() {
    for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (33_554_432, "33,554,432")] {
        assert_eq!(grouped(&number), text);
    }
}
