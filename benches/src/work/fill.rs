//! Fill: transactions until a small request is refused; evict most; fill again with larger ones.
//!
//! Nothing here is timed. Threads put what they got into one table whose memory is there and touched beforehand, so
//! that a process's resident memory grows by what the allocator takes and nothing else.

use std::{
    ops::ControlFlow,
    ptr::NonNull,
    sync::{Arc, Barrier, Mutex},
    thread,
};

use crate::{
    harness::{
        rng::Rng,
        sizes::{MANY_THREADS_BELOW, Sizes},
    },
    peers::{Block, Contender, Shared},
};

/// A thread stops at its first refusal of a request up to this; larger ones that are refused are left out.
pub const SMALL_BYTES: usize = 1024;
/// A thread lets the others run after so many requests, so that all take part however small the heap.
const TURN: usize = 16;
/// Of the sizes at the second fill to those at the first.
const SECOND_SCALE: (usize, usize) = (13, 10);

/// What happens to a block's memory when it was served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Write {
    /// Nothing: whatever becomes resident is the allocator's own.
    None,
    /// All of it.
    Whole,
}

/// An empty table for as many blocks as so many live bytes are, its memory touched.
pub struct Table {
    threads: usize,
    sizes: Arc<Sizes>,
    blocks: Arc<Mutex<Vec<Block>>>,
}

impl Table {
    pub fn new(bytes: usize, threads: usize) -> Table {
        let sizes = Arc::new(Sizes::below(MANY_THREADS_BELOW));
        let nothing = Block { ptr: NonNull::dangling(), size: 0 };
        // A quarter more than the mean size lets expect.
        let mut blocks = vec![nothing; bytes / sizes.mean() * 5 / 4 + threads * TURN];
        blocks.clear();
        Table { threads, sizes, blocks: Arc::new(Mutex::new(blocks)) }
    }
}

/// The live blocks of one contender.
pub struct Filling<C: Shared> {
    contender: C,
    threads: usize,
    sizes: Arc<Sizes>,
    blocks: Arc<Mutex<Vec<Block>>>,
    rng: Rng,
    write: Write,
}

impl<C: Shared> Filling<C> {
    pub fn new(contender: C, table: Table, write: Write) -> Filling<C> {
        let Table { threads, sizes, blocks } = table;
        Filling { contender, threads, sizes, blocks, rng: Rng::new(1), write }
    }

    pub fn first(&mut self) {
        self.fill((1, 1));
    }

    pub fn second(&mut self) {
        self.fill(SECOND_SCALE);
    }

    fn fill(&mut self, scale: (usize, usize)) {
        let barrier = Arc::new(Barrier::new(self.threads));
        let write = self.write;
        let seed = self.rng.below(1 << 31) as u64;
        self.on_every_thread(|member, mut contender, sizes, blocks| {
            let (barrier, mut rng) = (barrier.clone(), Rng::new(seed + member as u64));
            move || {
                barrier.wait();
                let mut turn = Vec::with_capacity(TURN);
                while fill_turn(&mut contender, &sizes, scale, &mut rng, write, &mut turn).is_continue() {
                    blocks.lock().expect("no thread panicked").append(&mut turn);
                    thread::yield_now();
                }
                blocks.lock().expect("no thread panicked").append(&mut turn);
            }
        });
    }

    /// Frees nine blocks of ten, chosen at random, each thread its part.
    pub fn evict(&mut self) {
        let mut blocks = self.blocks.lock().expect("no thread panicked").split_off(0);
        self.rng.shuffle(&mut blocks);
        let kept = blocks.len() / 10;
        let parts: Vec<Vec<Block>> =
            blocks[kept..].chunks((blocks.len() - kept).div_ceil(self.threads).max(1)).map(<[Block]>::to_vec).collect();
        blocks.truncate(kept);
        self.blocks.lock().expect("no thread panicked").extend(blocks);
        let mut parts = parts.into_iter();
        self.on_every_thread(|_, mut contender, _, _| {
            let part = parts.next().unwrap_or_default();
            move || {
                for block in part {
                    // SAFETY: live, and out of the table.
                    unsafe { contender.free(block.ptr, block.size as usize) };
                }
            }
        });
    }

    /// Runs one closure a thread and joins them all; one thread is the caller itself.
    fn on_every_thread<F: FnOnce() + Send + 'static>(
        &self,
        mut work: impl FnMut(usize, C, Arc<Sizes>, Arc<Mutex<Vec<Block>>>) -> F,
    ) {
        let mut work = |member| work(member, self.contender.clone(), self.sizes.clone(), self.blocks.clone());
        if self.threads == 1 {
            return work(0)();
        }
        let members: Vec<_> = (0..self.threads).map(|member| thread::spawn(work(member))).collect();
        for member in members {
            member.join().expect("no thread panicked");
        }
    }

    /// Requested bytes of the live blocks.
    pub fn live_bytes(&self) -> usize {
        self.blocks.lock().expect("no thread panicked").iter().map(|block| block.size as usize).sum()
    }

    /// The live blocks, which are then the caller's to free; the contender's handle with them.
    pub fn into_parts(self) -> (C, Vec<Block>) {
        let blocks = self.blocks.lock().expect("no thread panicked").split_off(0);
        (self.contender, blocks)
    }

    /// Frees everything.
    pub fn clear(self) {
        let (mut contender, blocks) = self.into_parts();
        for block in blocks {
            // SAFETY: live, and in no table any more.
            unsafe { contender.free(block.ptr, block.size as usize) };
        }
    }
}

/// One turn of one thread; breaks at the refusal that ends its filling.
fn fill_turn<C: Contender<Handle = NonNull<u8>>>(
    contender: &mut C,
    sizes: &Sizes,
    scale: (usize, usize),
    rng: &mut Rng,
    write: Write,
    turn: &mut Vec<Block>,
) -> ControlFlow<()> {
    for _ in 0..TURN {
        let size = sizes.pick(rng) * scale.0 / scale.1;
        match contender.alloc(size) {
            Some(ptr) => {
                if write == Write::Whole {
                    // SAFETY: a live block of `size` bytes.
                    unsafe { ptr.write_bytes(1, size) };
                }
                turn.push(Block { ptr, size: size as u32 });
            }
            None if size <= SMALL_BYTES => return ControlFlow::Break(()),
            None => {}
        }
    }
    ControlFlow::Continue(())
}

/// Fills, evicts, fills; `figure` makes a result of the live bytes after each fill.
pub fn fill_twice<C: Shared>(contender: C, table: Table, figure: impl Fn(usize) -> f64) -> [f64; 2] {
    let mut filling = Filling::new(contender, table, Write::Whole);
    filling.first();
    let first = figure(filling.live_bytes());
    filling.evict();
    filling.second();
    let second = figure(filling.live_bytes());
    filling.clear();
    [first, second]
}

pub fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
