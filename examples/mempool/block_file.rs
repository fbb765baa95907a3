//! The blocks in a file, in the forms that the user of a node has.
//!
//! - One raw serialised block.
//! - A node's `blk*.dat`: the network's magic and a length before each block, many blocks, zeros where space was
//!   reserved.
//! - The same obfuscated, as Bitcoin Core writes it since version 28; the key is `xor.dat` beside the file.
//! - Any of these in hexadecimal text, as `getblock HASH 0` prints a block.
//!
//! Everything else is refused, with what it looks like.

use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bitcoin_slices::{Parse, bsl};

use super::looks;

/// More bytes than any block has.
pub(crate) const MOST_BLOCK_BYTES: usize = 32 << 20;
/// A node's files have 128 MiB at most; this has room for one in hexadecimal text. A longer file is refused unread.
const MOST_FILE_BYTES: u64 = 288 << 20;

/// Before each block in a node's file: the magic, and the block's length.
const RECORD_HEAD_BYTES: usize = 8;
const HEADER_BYTES: usize = 80;
const KEY_BYTES: usize = 8;

/// The magics of mainnet, testnet3, testnet4, the default signet and regtest.
const MAGICS: [[u8; 4]; 5] = [
    [0xf9, 0xbe, 0xb4, 0xd9],
    [0x0b, 0x11, 0x09, 0x07],
    [0x1c, 0x16, 0x3f, 0x28],
    [0x0a, 0x03, 0xcf, 0x40],
    [0xfa, 0xbf, 0xb5, 0xda],
];

/// A file's bytes, legible, and where its blocks lie in them.
#[derive(Debug)]
pub(crate) struct BlockFile {
    bytes: Vec<u8>,
    blocks: Vec<Range<usize>>,
}

impl BlockFile {
    /// Reads a file and finds its blocks. They are not parsed yet.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let bytes = read(path)?;
        if bytes.iter().all(|&byte| byte == 0) {
            return Err("holds only zeros".to_owned());
        }
        if let Some(text) = looks::text(&bytes) {
            let bytes = looks::hexadecimal(text)?;
            let found = blocks_of(&bytes).unwrap_or_else(|| Err(looks::like(&bytes)));
            return Ok(Self { blocks: found.map_err(|e| format!("in hexadecimal text: {e}"))?, bytes });
        }
        if let Some(found) = blocks_of(&bytes) {
            return Ok(Self { blocks: found?, bytes });
        }
        let key = key_beside(path)?;
        if let Some(key) = &key {
            let legible: Vec<u8> = bytes.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            if is_node_file(&legible) {
                return Ok(Self { blocks: records(&legible, &bytes)?, bytes: legible });
            }
        }
        let useless = if key.is_some() && bytes.len() > KEY_BYTES {
            "; the key xor.dat beside it does not make it legible"
        } else {
            ""
        };
        Err(format!("{}{useless}", looks::like(&bytes)))
    }

    /// The blocks, each with its place among the file's when there are more.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (&[u8], Cow<'static, str>)> {
        self.blocks.iter().zip(1..).map(|(range, number)| {
            let place = match self.blocks.len() {
                1 => "".into(),
                _ => format!("block {number} at offset {}: ", range.start).into(),
            };
            (&self.bytes[range.clone()], place)
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.blocks.len()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    if path.is_dir() {
        return Err("is a directory; name the files in it, as in blocks/blk*.dat".to_owned());
    }
    let file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let mut bytes = Vec::new();
    file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.is_empty() {
        return Err("is empty".to_owned());
    }
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(format!("is longer than {} MiB: no file of blocks is", MOST_FILE_BYTES >> 20));
    }
    Ok(bytes)
}

/// The key in `xor.dat` beside the file, or beside what a link of that name leads to.
fn key_beside(path: &Path) -> Result<Option<[u8; KEY_BYTES]>, String> {
    let target = path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    for beside in [path.with_file_name("xor.dat"), target.with_file_name("xor.dat")] {
        match std::fs::read(&beside) {
            Ok(bytes) => {
                let length = bytes.len();
                let key = bytes.try_into().map_err(|_| format!("has a xor.dat beside it of {length} bytes, not 8"))?;
                return Ok(Some(key));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(format!("has a xor.dat beside it that cannot be read: {e}")),
        }
    }
    Ok(None)
}

/// The blocks in `bytes`; `None` if they are neither a node's file nor a block.
fn blocks_of(bytes: &[u8]) -> Option<Result<Vec<Range<usize>>, String>> {
    if is_node_file(bytes) {
        return Some(records(bytes, bytes));
    }
    begins_a_block(bytes).then(|| match bytes.len() {
        HEADER_BYTES => Err("is the header of a block, without its transactions".to_owned()),
        long if long > MOST_BLOCK_BYTES => {
            Err(format!("is longer than {} MiB, so it is not one block", MOST_BLOCK_BYTES >> 20))
        }
        len => Ok(std::iter::once(0..len).collect()),
    })
}

/// Do the bytes begin with a known magic, or with an unknown one before the length and header of a block?
fn is_node_file(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk::<RECORD_HEAD_BYTES>() else {
        return false;
    };
    let (magic, len) = head.split_at(4);
    MAGICS.iter().any(|known| known == magic)
        || (HEADER_BYTES + 1..=rest.len()).contains(&length(len)) && has_plausible_header(rest)
}

fn length(bytes: &[u8]) -> usize {
    let word = bytes.first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk));
    usize::try_from(word).unwrap_or(usize::MAX)
}

fn begins_a_block(bytes: &[u8]) -> bool {
    has_plausible_header(bytes)
        || bsl::Block::parse(bytes)
            .is_ok_and(|block| block.remaining().is_empty() && block.parsed().total_transactions() > 0)
}

/// Could these bytes begin with a block's header? Of random bytes one in a thousand could.
fn has_plausible_header(bytes: &[u8]) -> bool {
    const FIRST_BLOCK: u32 = 1_231_006_505;
    const LAST_TIME: u32 = 1 << 31;
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return false;
    };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (version, time, target) = (word(0), word(68), word(72));
    let (exponent, mantissa) = (target >> 24, target & 0xff_ffff);
    ((1..=4).contains(&version) || version >> 29 == 1)
        && (FIRST_BLOCK..LAST_TIME).contains(&time)
        && (3..=0x20).contains(&exponent)
        && (1..0x80_0000).contains(&mantissa)
}

/// The blocks of a node's file. `raw` is the file as it was before it was made legible: nothing obfuscates the zeros of
/// space that was only reserved.
fn records(bytes: &[u8], raw: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let magic = &bytes[..4];
    let mut blocks = Vec::new();
    let mut at = 0;
    loop {
        while at < bytes.len() && !bytes[at..].starts_with(magic) && (bytes[at] == 0 || raw[at] == 0) {
            at += 1;
        }
        if at == bytes.len() {
            return Ok(blocks);
        }
        let place = format!("block {} at offset {at}", blocks.len() + 1);
        if !bytes[at..].starts_with(magic) {
            return Err(format!("has neither a block nor zeros at offset {at}, after {} blocks", blocks.len()));
        }
        let Some((head, rest)) = bytes[at..].split_first_chunk::<RECORD_HEAD_BYTES>() else {
            return Err(format!("is truncated: {place} has no length"));
        };
        let len = length(&head[4..]);
        if blocks.is_empty() && rest.len() >= HEADER_BYTES && !begins_a_block(&rest[..len.min(rest.len())]) {
            let looks = "it looks like an undo file (rev*.dat), not blk*.dat";
            return Err(format!("has a network's magic but no block after it: {looks}"));
        }
        if len > MOST_BLOCK_BYTES {
            return Err(format!("{place} claims {len} bytes, more than any block has"));
        }
        if len > rest.len() {
            return Err(format!("is truncated: of {place}, {len} bytes long, it has {}", rest.len()));
        }
        at += RECORD_HEAD_BYTES;
        blocks.push(at..at + len);
        at += len;
    }
}
