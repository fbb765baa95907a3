//! The transactions of real blocks, and the distinct ids of their repetitions.

use std::ops::ControlFlow;

use bitcoin_slices::bitcoin_hashes::{Hash as _, sha256d};
use bitcoin_slices::{Visit, Visitor, bsl};

/// Number of different fee rates: 0 to 999.
pub(crate) const FEE_RATES: u16 = 1000;

/// The name of one transaction in the pool.
pub(crate) type Id = [u8; 32];

/// A transaction of a block, as often repeated as wanted.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) bytes: Box<[u8]>,
    /// Double SHA-256 of all the bytes (the wtxid), against which the stored copies are checked.
    pub(crate) hash: Id,
    pub(crate) txid: Id,
}

impl Source {
    pub(crate) fn new(bytes: &[u8], txid: Id) -> Self {
        Self { bytes: bytes.into(), hash: hash(bytes), txid }
    }

    /// The id of one copy: of copy 0 the transaction's own, of the others a different one each.
    pub(crate) fn id(&self, repetition: u64) -> Id {
        let mut id = self.txid;
        if repetition > 0 {
            for (word, index) in id.chunks_exact_mut(8).zip(0..) {
                let mask = mix(repetition.wrapping_mul(4).wrapping_add(index)).to_le_bytes();
                word.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            }
        }
        id
    }

    /// Does `record`, as it was stored under `id`, still say what it said?
    pub(crate) fn vouches_for(&self, id: &Id, record: &[u8]) -> bool {
        record.split_first_chunk().is_some_and(|(repetition, bytes)| {
            hash(bytes) == self.hash && self.id(u64::from_le_bytes(*repetition)) == *id
        })
    }
}

/// The fee rate that stands in for the real one, which a block does not tell: it holds no input amounts.
pub(crate) fn drawn_fee_rate(id: &Id) -> u16 {
    let drawn = u32::from_le_bytes([id[0], id[1], id[2], id[3]]) % u32::from(FEE_RATES);
    u16::try_from(drawn).unwrap_or(FEE_RATES - 1)
}

/// `SplitMix64`'s output function: different for different words (Steele, Lea, Flood, OOPSLA 2014).
pub(crate) fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hash(bytes: &[u8]) -> Id {
    sha256d::Hash::hash(bytes).to_byte_array()
}

struct Collector<'s>(&'s mut Vec<Source>);

impl Visitor for Collector<'_> {
    fn visit_transaction(&mut self, tx: &bsl::Transaction) -> ControlFlow<()> {
        self.0.push(Source::new(tx.as_ref(), tx.txid().to_byte_array()));
        ControlFlow::Continue(())
    }
}

/// The transactions of mainnet block 702861.
pub(crate) fn mainnet() -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    collect(bitcoin_test_data::blocks::mainnet_702861(), &mut sources)?;
    Ok(sources)
}

/// Appends the transactions of one serialised block, checked against the root in its header (which leaves out
/// witnesses).
pub(crate) fn collect(block: &[u8], sources: &mut Vec<Source>) -> Result<(), String> {
    let start = sources.len();
    let parsed = bsl::Block::visit(block, &mut Collector(sources)).map_err(|e| match e {
        bitcoin_slices::Error::MoreBytesNeeded => format!("is truncated: it ends after {} bytes", block.len()),
        other => format!("is not a serialised block: {other:?}"),
    })?;
    if !parsed.remaining().is_empty() {
        return Err(format!("has {} bytes after the block", parsed.remaining().len()));
    }
    let txids = sources[start..].iter().map(|source| source.txid).collect::<Vec<_>>();
    if txids.is_empty() {
        return Err("holds no transactions".to_owned());
    }
    if merkle_root(txids) != parsed.parsed().header().merkle_root() {
        return Err("is damaged: its transactions are not those that its header names".to_owned());
    }
    Ok(())
}

/// The root of the tree of hashes over a block's ids; the last of an odd row is paired with itself.
fn merkle_root(mut row: Vec<Id>) -> Id {
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| hash(&[pair[0], pair[pair.len() - 1]].concat())).collect();
    }
    row[0]
}
