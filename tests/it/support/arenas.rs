//! Scripts over an arena's `Allocator`, and what must hold of its figures after them.

use sharded_arena::{Arena, Region};

use super::{Block, Random, give, layout, regrow, take};

/// Allocates, resizes and frees at random through the allocator; at every step the usage is within the limit. Returns
/// what is left alive.
pub(crate) fn bump_churn(arena: &Arena, random: &mut Random, steps: usize) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
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
            0..6 => blocks.extend(take(arena, any(random))),
            6 | 7 if !blocks.is_empty() => {
                let _refused_is_fine = regrow(arena, &mut blocks[at], any(random));
            }
            _ if !blocks.is_empty() => give(arena, blocks.swap_remove(at)),
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
