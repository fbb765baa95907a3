//! `full-aged` (with `--all`): where the density at the limit of 32 MiB settles after fifty turns of its contents,
//! beside exact best fit without any cache and TLSF. One thread; a reading for whoever tunes placement.

use std::ptr::NonNull;

use super::Row;
use crate::{
    harness::{
        memory::Memory,
        mib,
        rng::Rng,
        sizes::{AT_LIMIT_BELOW, Sizes},
        stats::Summary,
        table,
    },
    peers::{Block, Contender, best_fit::BestFit, ours::Ours, rlsf::Rlsf},
};

const LIMIT: usize = mib(32);
const TURNS: usize = 50;
/// Of these, the last that count.
const COUNTED: usize = 10;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("full-aged", |_| run()).extra()]
}

fn run() {
    table::heading("full-aged", "live bytes / limit at the limit of 32 MiB, turns 41 to 50 of its contents");
    table::figure("heap", density(Ours::with_capacity(LIMIT)), "");
    table::figure("best-fit", density(BestFit::over(Memory::map(LIMIT))), "");
    table::figure("rlsf", density(Rlsf::over(Memory::map(LIMIT))), "");
}

fn density<C: Contender<Handle = NonNull<u8>>>(mut contender: C) -> Summary {
    let (sizes, mut rng) = (Sizes::below(AT_LIMIT_BELOW), Rng::new(0));
    let (mut blocks, mut live) = (Vec::<Block>::new(), 0);
    let inserts = LIMIT / sizes.mean();
    let turns = (0..TURNS).map(|_| {
        let mut sum = 0;
        for _ in 0..inserts {
            let size = sizes.pick(&mut rng);
            let ptr = loop {
                if let Some(ptr) = contender.alloc(size) {
                    break ptr;
                }
                let block = blocks.swap_remove(rng.below(blocks.len()));
                live -= block.size as usize;
                // SAFETY: live, and out of the table.
                unsafe { contender.free(block.ptr, block.size as usize) };
            };
            blocks.push(Block { ptr, size: size as u32 });
            live += size;
            sum += live;
        }
        sum as f64 / (inserts * LIMIT) as f64
    });
    let turns: Vec<f64> = turns.collect();
    Summary::of(&turns[TURNS - COUNTED..])
}
