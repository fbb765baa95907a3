//! Blocks of arenas that know their contents, and scripts over an arena's `Allocator`.

use std::alloc::Layout;
use std::ptr::NonNull;

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::{AllocError, Arena, BumpRegion, Local, Region, Scope, Scratch};

use super::{Random, fresh_byte, layout};

/// Whatever hands out blocks by moving a cursor.
pub(crate) trait Bumps {
    fn bump(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;
}

macro_rules! bumps {
    ($($type:ty)*) => { $(
        impl Bumps for $type {
            fn bump(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                self.try_alloc_layout(layout)
            }
        }
    )* };
}
bumps! { Arena Local<'_> Scratch Scope<'_> BumpRegion }

/// What blocks are filled with, from a place of their own on: no two places of a short block hold the same, so bytes that
/// moved too far, or not far enough, are seen.
#[expect(clippy::cast_possible_truncation, reason = "the low eight bits are meant")]
static PATTERN: [u8; 512] = {
    let (mut pattern, mut at) = ([0; 512], 0);
    while at < 512 {
        pattern[at] = at as u8;
        at += 1;
    }
    pattern
};

/// The bytes of a block that begins with `byte`, part by part.
fn part(byte: u8, len: usize) -> &'static [u8] {
    &PATTERN[byte as usize..][..len]
}

/// A block filled with bytes of its own.
#[derive(Debug)]
pub(crate) struct Filled {
    ptr: NonNull<u8>,
    layout: Layout,
    byte: u8,
}

// SAFETY: the block is its holder's alone, whichever thread that is on.
unsafe impl Send for Filled {}

impl Filled {
    fn hold(ptr: NonNull<u8>, layout: Layout) -> Self {
        assert_eq!(ptr.addr().get() % layout.align(), 0, "aligned by its address: {layout:?}");
        let byte = fresh_byte();
        if layout.size() > 0 {
            // SAFETY: the arena says these bytes are this caller's.
            unsafe { ptr.write_bytes(0, layout.size()) };
            // SAFETY: as many bytes were just written, and are this caller's.
            let bytes = unsafe { std::slice::from_raw_parts_mut(ptr.as_ptr(), layout.size()) };
            bytes.chunks_mut(256).for_each(|bytes| bytes.copy_from_slice(part(byte, bytes.len())));
        }
        Self { ptr, layout, byte }
    }

    pub(crate) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }
    pub(crate) fn size(&self) -> usize {
        self.layout.size()
    }

    /// The bytes are still those of this block.
    pub(crate) fn check(&self) {
        self.check_first(self.size());
    }

    fn check_first(&self, len: usize) {
        if len == 0 {
            return;
        }
        // SAFETY: a live block of at least `len` bytes, filled when it was handed out.
        let bytes = unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), len) };
        let same = bytes.chunks(256).all(|bytes| bytes == part(self.byte, bytes.len()));
        assert!(same, "the bytes of a block changed: {self:?} holds {:?}…", &bytes[..len.min(16)]);
    }
}

/// A block for `layout`, filled.
pub(crate) fn fill(source: &impl Bumps, layout: Layout) -> Result<Filled, AllocError> {
    source.bump(layout).map(|ptr| Filled::hold(ptr, layout))
}

/// Blocks of `layout` until one is refused.
pub(crate) fn fill_up(source: &impl Bumps, layout: Layout) -> Vec<Filled> {
    std::iter::from_fn(|| fill(source, layout).ok()).collect()
}

/// Bytes in blocks.
pub(crate) fn bytes_of(blocks: &[Filled]) -> usize {
    blocks.iter().map(Filled::size).sum()
}

/// Every block has its bytes, and no two overlap.
pub(crate) fn check_disjoint(blocks: &[Filled]) {
    blocks.iter().for_each(Filled::check);
    let mut ranges: Vec<_> = blocks.iter().filter(|b| b.size() > 0).map(|b| (b.ptr.addr().get(), b.size())).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "two blocks overlap");
}

/// Checks a block and frees it through the allocator.
#[expect(clippy::needless_pass_by_value, reason = "a block that was freed is gone")]
pub(crate) fn release(arena: &Arena, block: Filled) {
    block.check();
    // SAFETY: a live block of this arena, with its layout; it is moved in here.
    unsafe { arena.deallocate(block.ptr, block.layout) };
}

/// Grows or shrinks a block, checks that its bytes came along, and fills it anew; a refusal leaves it as it was.
pub(crate) fn reshape(arena: &Arena, block: &mut Filled, new: Layout) -> bool {
    block.check();
    let Filled { ptr, layout: old, byte } = *block;
    let answer = if new.size() >= old.size() {
        // SAFETY: a live block of this arena, with its layout.
        unsafe { arena.grow(ptr, old, new) }
    } else {
        // SAFETY: as above.
        unsafe { arena.shrink(ptr, old, new) }
    };
    let Ok(answer) = answer else {
        block.check();
        return false;
    };
    assert_eq!(answer.len(), new.size(), "as many bytes as were asked for");
    Filled { ptr: answer.cast(), layout: new, byte }.check_first(old.size().min(new.size()));
    *block = Filled::hold(answer.cast(), new);
    true
}

/// Allocates, resizes and frees at random through the allocator; at every step the usage is within the limit. Gives what
/// is left alive.
pub(crate) fn bump_churn(arena: &Arena, random: &mut Random, steps: usize) -> Vec<Filled> {
    let mut blocks: Vec<Filled> = Vec::new();
    let any = |random: &mut Random| {
        let longest = [16, 200, 2_000, 9_000][random.below(4)];
        layout(random.below(longest), 1 << random.below(9))
    };
    for _ in 0..steps {
        // The last block often, for it alone changes in place.
        let at = match blocks.len() {
            0 => 0,
            len if random.below(2) == 0 => len - 1,
            len => random.below(len),
        };
        match random.below(10) {
            0..6 => blocks.extend(fill(arena, any(random))),
            6 | 7 if !blocks.is_empty() => {
                let _refused_is_fine = reshape(arena, &mut blocks[at], any(random));
            }
            _ if !blocks.is_empty() => release(arena, blocks.swap_remove(at)),
            _ => {}
        }
        assert!(arena.memory_usage() <= arena.limit());
    }
    blocks
}

/// What the lists of an arena and the index of its region say of every byte agrees.
pub(crate) fn verified(arena: &mut Arena) {
    arena.verify().expect("every extent is on a list");
    if let Some(region) = arena.region() {
        region.verify().expect("every byte is in one place");
    }
}

/// A reset leaves idle chunks at most, trimming nothing; the region has only this arena in it.
pub(crate) fn assert_all_returns(arena: &mut Arena, region: &Region) {
    arena.reset();
    let stats = arena.stats();
    #[cfg(feature = "stats")]
    assert_eq!(stats.live_bytes, 0, "{stats}");
    assert!(stats.usage <= stats.leased + stats.scratch_bytes, "{stats}");
    verified(arena);
    arena.trim(0);
    verified(arena);
    let (stats, whole) = (arena.stats(), region.stats());
    assert_eq!((stats.usage, stats.leased, stats.scratch_bytes), (0, 0, 0), "{stats}");
    assert_eq!((whole.usage, whole.leased, whole.extents_free, whole.free), (0, 0, 1, whole.capacity), "{whole}");
}
