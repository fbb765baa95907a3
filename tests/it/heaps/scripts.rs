//! Scripts of every operation at once, on two heaps of one region, made and shrunk by proptest from a fixed seed.
//!
//! What the other tests do one thing at a time happens here in any order: reservations beside lowered limits, trims
//! beside grown blocks, heaps that are dropped while the other goes on. After every script each byte is in one place.

use crate::support::{Block, give, layout, regrow, take, take_reserved};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sharded_arena::{Heap, Region, RegionReservation};

const CAPACITY: usize = 256 << 10;

#[derive(Debug, Clone)]
enum Step {
    Alloc { heap: usize, size: usize, align: u32 },
    Free { at: usize },
    FreeElsewhere { at: usize },
    Resize { at: usize, size: usize, align: u32 },
    Reserve { bytes: usize },
    Draw { heap: usize, size: usize },
    EndReservation,
    Limit { bytes: usize },
    HeapLimit { heap: usize, bytes: usize },
    Trim { keep: usize },
    Flush { heap: usize },
    Replace { heap: usize },
    Verify,
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..200_usize, 4 => 200..2_000_usize, 2 => 2_000..12_000_usize, 1 => 12_000..300_000_usize]
}

fn step() -> impl Strategy<Value = Step> {
    let align = || 0..13_u32;
    prop_oneof![
        30 => (0..2_usize, size(), align()).prop_map(|(heap, size, align)| Step::Alloc { heap, size, align }),
        15 => any::<usize>().prop_map(|at| Step::Free { at }),
        2 => any::<usize>().prop_map(|at| Step::FreeElsewhere { at }),
        15 => (any::<usize>(), size(), align()).prop_map(|(at, size, align)| Step::Resize { at, size, align }),
        2 => (0..CAPACITY).prop_map(|bytes| Step::Reserve { bytes }),
        4 => (0..2_usize, size()).prop_map(|(heap, size)| Step::Draw { heap, size }),
        2 => Just(Step::EndReservation),
        2 => (0..2 * CAPACITY).prop_map(|bytes| Step::Limit { bytes }),
        2 => (0..2_usize, 0..2 * CAPACITY).prop_map(|(heap, bytes)| Step::HeapLimit { heap, bytes }),
        1 => (0..CAPACITY).prop_map(|keep| Step::Trim { keep }),
        2 => (0..2_usize).prop_map(|heap| Step::Flush { heap }),
        1 => (0..2_usize).prop_map(|heap| Step::Replace { heap }),
        2 => Just(Step::Verify),
    ]
}

struct World {
    region: Region,
    checked: bool,
    heaps: [Heap; 2],
    blocks: Vec<(usize, Block)>,
    reservation: Option<RegionReservation>,
}

impl World {
    fn new(checked: bool) -> Self {
        let region = Region::with_capacity(CAPACITY).expect("a region");
        let heaps = [(); 2].map(|()| Self::heap(&region, checked));
        Self { region, checked, heaps, blocks: Vec::new(), reservation: None }
    }

    fn heap(region: &Region, checked: bool) -> Heap {
        Heap::builder().region(region).checked(checked).quarantine(8).build().expect("a heap")
    }

    fn remove(&mut self, at: usize) -> Option<(usize, Block)> {
        let len = self.blocks.len();
        (len > 0).then(|| self.blocks.swap_remove(at % len))
    }

    fn run(&mut self, step: &Step) {
        let before = self.region.memory_usage();
        match *step {
            Step::Alloc { heap, size, align } => {
                if let Ok(block) = take(&self.heaps[heap], layout(size, 1 << align)) {
                    self.blocks.push((heap, block));
                }
            }
            Step::Free { at } => {
                if let Some((heap, block)) = self.remove(at) {
                    give(&self.heaps[heap], block);
                }
            }
            Step::FreeElsewhere { at } => {
                if let Some((heap, block)) = self.remove(at) {
                    let heap = self.heaps[heap].clone();
                    std::thread::spawn(move || give(&heap, block)).join().expect("no panic");
                }
            }
            Step::Resize { at, size, align } => {
                let len = self.blocks.len();
                if len > 0 {
                    let (heap, block) = &mut self.blocks[at % len];
                    let _refused_is_fine = regrow(&self.heaps[*heap], block, layout(size, 1 << align));
                }
            }
            Step::Reserve { bytes } => self.reservation = self.region.reserve(bytes).ok(),
            Step::Draw { heap, size } => {
                if let Some(reservation) = &mut self.reservation
                    && let Ok(block) = take_reserved(&self.heaps[heap], reservation, layout(size, 8))
                {
                    self.blocks.push((heap, block));
                }
            }
            Step::EndReservation => self.reservation = None,
            Step::Limit { bytes } => self.region.set_limit(bytes),
            Step::HeapLimit { heap, bytes } => self.heaps[heap].set_limit(bytes),
            Step::Trim { keep } => {
                let _bytes = self.region.trim(keep);
            }
            Step::Flush { heap } => self.heaps[heap].flush(),
            Step::Replace { heap } => {
                while let Some(at) = self.blocks.iter().position(|(of, _)| *of == heap) {
                    let (_, block) = self.blocks.swap_remove(at);
                    give(&self.heaps[heap], block);
                }
                self.heaps[heap] = Self::heap(&self.region, self.checked);
            }
            Step::Verify => self.region.verify().expect("every byte is in one place"),
        }
        let usage = self.region.memory_usage();
        assert!(usage <= self.region.limit().max(before), "usage {usage}, limit {}", self.region.limit());
    }

    fn end(mut self) {
        self.blocks.iter().for_each(|(_, block)| block.check());
        self.region.verify().expect("every byte is in one place");
        while let Some((heap, block)) = self.remove(0) {
            give(&self.heaps[heap], block);
        }
        self.reservation = None;
        self.heaps.iter().for_each(Heap::flush);
        self.region.verify().expect("every byte is in one place");
        let stats = self.region.stats();
        assert_eq!((stats.usage, stats.leased, stats.reserved, stats.extents_free), (0, 0, 0, 1), "{stats}");
        assert!(self.heaps.iter().all(|heap| heap.memory_usage() == 0 && heap.stats().invalid_frees == 0));
    }
}

#[test]
fn random_scripts_lose_no_byte() {
    let cases = if cfg!(debug_assertions) { 300 } else { 2_000 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&(any::<bool>(), vec(step(), 0..120)), |(checked, steps)| {
        let mut world = World::new(checked);
        for step in &steps {
            world.run(step);
        }
        world.end();
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
