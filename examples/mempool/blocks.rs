//! The blocks that the command line names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::block::{self, Source};
use super::block_file::BlockFile;

/// What blocks hold, and how many there were.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) sources: Vec<Source>,
    pub(crate) blocks: usize,
}

/// Loads the blocks in `paths`, or mainnet block 702861 when there are none; a transaction met twice is taken once.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Loaded, String> {
    if paths.is_empty() {
        return Ok(Loaded { sources: block::mainnet()?, blocks: 1 });
    }
    let mut loaded = Loaded { sources: Vec::new(), blocks: 0 };
    for path in paths {
        load_file(path, &mut loaded).map_err(|e| format!("block file {}: {e}", path.display()))?;
    }
    let mut seen = HashSet::new();
    loaded.sources.retain(|source| seen.insert(source.txid));
    Ok(loaded)
}

fn load_file(path: &Path, loaded: &mut Loaded) -> Result<(), String> {
    let file = BlockFile::open(path)?;
    for (block, place) in file.blocks() {
        block::collect(block, &mut loaded.sources).map_err(|e| format!("{place}{e}"))?;
    }
    loaded.blocks += file.count();
    Ok(())
}
