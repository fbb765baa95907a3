//! Replace: a table of live blocks; each step frees a random one and allocates another size. One thread.

use crate::{
    harness::{clock::time, rng::Rng, sizes::Sizes},
    peers::{Contender, has_stamp, stamp},
};

pub struct Replace<C: Contender> {
    contender: C,
    table: Vec<(C::Handle, u32)>,
    sizes: Sizes,
    rng: Rng,
}

impl<C: Contender> Replace<C> {
    /// A table of `live` blocks. Every contender draws the same sizes and slots from here on.
    pub fn new(mut contender: C, live: usize, sizes: &Sizes) -> Replace<C> {
        let mut rng = Rng::new(live as u64);
        let table = (0..live).map(|slot| fresh(&mut contender, sizes.pick(&mut rng), slot)).collect();
        Replace { contender, table, sizes: sizes.clone(), rng }
    }

    /// Does `steps` steps; nanoseconds a step.
    pub fn round(&mut self, steps: usize) -> f64 {
        let work = || {
            for _ in 0..steps {
                self.step();
            }
        };
        time(work).as_nanos() as f64 / steps as f64
    }

    #[inline]
    fn step(&mut self) {
        let slot = self.rng.below(self.table.len());
        let (old, size) = self.table[slot];
        // SAFETY: the table's blocks are live, and this one is replaced in the next statement.
        unsafe { self.contender.free(old, size as usize) };
        self.table[slot] = fresh(&mut self.contender, self.sizes.pick(&mut self.rng), slot);
    }
}

#[inline]
fn fresh<C: Contender>(contender: &mut C, size: usize, slot: usize) -> (C::Handle, u32) {
    let block = contender.alloc(size).expect("far below any limit");
    // SAFETY: a live block of `size` bytes; no transaction is empty.
    unsafe { stamp(contender.ptr(block), size, slot as u8) };
    (block, size as u32)
}

impl<C: Contender> Drop for Replace<C> {
    fn drop(&mut self) {
        for (slot, &(block, size)) in self.table.iter().enumerate() {
            // SAFETY: live, and stamped with its slot.
            let whole = unsafe { has_stamp(self.contender.ptr(block), size as usize, slot as u8) };
            assert!(whole || !C::DISTINCT_BLOCKS, "two live blocks overlap");
            // SAFETY: live; the table goes.
            unsafe { self.contender.free(block, size as usize) };
        }
    }
}
