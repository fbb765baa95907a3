//! The files that `--block` takes, and what it says of others.

use std::fs;
use std::path::{Path, PathBuf};

use bitcoin_slices::bitcoin_hashes::{Hash as _, sha256d};

use crate::block::mix;
use crate::blocks::{self, Loaded};

const MAINNET: [u8; 4] = [0xf9, 0xbe, 0xb4, 0xd9];
const KEY: [u8; 8] = [0x5a, 1, 0xfe, 0x33, 0, 9, 0x80, 0x77];

/// A folder of its own for one test, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mempool-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(path: &Path) -> Result<Loaded, String> {
    blocks::load(&[path.to_owned()])
}

fn counts(path: &Path) -> (usize, usize) {
    let loaded = load(path).unwrap();
    (loaded.blocks, loaded.sources.len())
}

/// A transaction of one input and one output, which differs by `number`.
fn transaction(number: u8) -> Vec<u8> {
    let mut tx = vec![1, 0, 0, 0, 1];
    tx.extend([number; 36]);
    tx.extend([0, 0xff, 0xff, 0xff, 0xff, 1]);
    tx.extend([0; 8]);
    tx.extend([1, 0x51, 0, 0, 0, 0]);
    tx
}

/// A block of that one transaction, whose id is the root that the header names.
fn small_block(number: u8) -> Vec<u8> {
    let tx = transaction(number);
    let mut block = vec![1, 0, 0, 0];
    block.extend([number; 32]);
    block.extend(sha256d::Hash::hash(&tx).to_byte_array());
    block.extend(1_600_000_000_u32.to_le_bytes());
    block.extend([0xff, 0xff, 0, 0x1d, 7, 7, 7, 7, 1]);
    block.extend(tx);
    block
}

fn record(magic: [u8; 4], block: &[u8]) -> Vec<u8> {
    [&magic[..], &u32::try_from(block.len()).unwrap().to_le_bytes(), block].concat()
}

fn node_file(magic: [u8; 4]) -> Vec<u8> {
    (1..=3).flat_map(|number| record(magic, &small_block(number))).collect()
}

fn obfuscated(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

fn random(seed: u64, len: usize) -> Vec<u8> {
    (0..).flat_map(|word| mix(mix(seed) ^ word).to_le_bytes()).take(len).collect()
}

#[test]
fn node_files_hold_many_blocks() {
    let folder = Folder::new("node-files");
    let custom_signet = [1, 2, 3, 4];
    for magic in [MAINNET, [0xfa, 0xbf, 0xb5, 0xda], custom_signet] {
        let mut bytes = node_file(magic);
        assert_eq!(counts(&folder.file("plain", &bytes)), (3, 3));
        bytes.extend([0; 1000]);
        assert_eq!(counts(&folder.file("reserved", &bytes)), (3, 3));
        bytes.extend(record(magic, &small_block(4)));
        bytes.extend([0; 3]);
        assert_eq!(counts(&folder.file("hole", &bytes)), (4, 4));
    }
}

#[test]
fn obfuscated_files_are_read_with_their_key() {
    let folder = Folder::new("obfuscated");
    let mut bytes = obfuscated(&node_file(MAINNET));
    bytes.extend([0; 1000]);
    let path = folder.file("blk00000.dat", &bytes);
    assert!(load(&path).unwrap_err().contains("xor.dat"));
    folder.file("xor.dat", &KEY);
    assert_eq!(counts(&path), (3, 3));
    let plain = folder.file("blk00001.dat", &node_file(MAINNET));
    assert_eq!(counts(&plain), (3, 3), "a key is used only where it is needed");
    folder.file("xor.dat", &[9; 8]);
    assert!(load(&path).unwrap_err().contains("does not make it legible"));
    folder.file("xor.dat", &[9; 7]);
    assert!(load(&path).unwrap_err().contains("7 bytes, not 8"));
}

#[test]
fn hexadecimal_text_is_decoded() {
    let folder = Folder::new("hexadecimal");
    let digits = hex(&small_block(1));
    let lines: Vec<_> = digits.as_bytes().chunks(60).map(|line| str::from_utf8(line).unwrap()).collect();
    let lines = lines.join("\r\n");
    for text in [format!("{digits}\n"), lines, format!("0x{}", digits.to_uppercase()), format!("\"{digits}\"\n")] {
        assert_eq!(counts(&folder.file("block.hex", text.as_bytes())), (1, 1));
    }
    let mainnet = hex(bitcoin_test_data::blocks::mainnet_702861());
    assert_eq!(counts(&folder.file("mainnet.hex", mainnet.as_bytes())), (1, 2500));
    assert_eq!(counts(&folder.file("blk.hex", hex(&node_file(MAINNET)).as_bytes())), (3, 3));
    let refused = |text: &str, word: &str| {
        let problem = load(&folder.file("refused.hex", text.as_bytes())).unwrap_err();
        assert!(problem.contains(word), "{problem}");
    };
    refused(&digits[1..], "odd number of digits");
    refused(&digits[..digits.len() - 2], "truncated");
    refused(&format!("{digits}."), "has '.' after");
    refused(&hex(&random(1, 500)), "not a block");
}

#[test]
fn other_files_are_refused_by_looks() {
    let folder = Folder::new("other");
    let bytes = node_file(MAINNET);
    let mut long_record = bytes.clone();
    long_record[7] = 0xff;
    let mut damaged = small_block(1);
    damaged[40] ^= 1;
    let undo = [&record(MAINNET, &[3; 200])[..], &[5; 32]].concat();
    let cases: [(&[u8], &str); 20] = [
        (b"", "empty"),
        (&[0; 4096], "only zeros"),
        (b" \n", "white space"),
        (b"{\"result\":\"00\"}", "JSON"),
        (b"<html>", "HTML"),
        (b"a block, honestly", "text"),
        (b"\xff\xfe0\x000\x00", "UTF-16"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (&KEY, "xor.dat"),
        (&transaction(1), "one transaction"),
        (&small_block(1)[..80], "header"),
        (&small_block(1)[..81], "truncated"),
        (&[small_block(1), small_block(2)].concat(), "bytes after the block"),
        (&damaged, "damaged"),
        (&undo, "undo file"),
        (&long_record, "more than any block"),
        (&bytes[..bytes.len() - 1], "truncated: of block 3 at offset"),
        (&bytes[..bytes.len() - 140], "truncated"),
        (&[&bytes[..], &[7; 9]].concat(), "neither a block nor zeros"),
        (&[&bytes[..], &record(MAINNET, &damaged)].concat(), "block 4 at offset"),
    ];
    for (bytes, word) in cases {
        let problem = load(&folder.file("other", bytes)).unwrap_err();
        assert!(problem.contains(word), "{word:?} in {problem:?}");
    }
    assert!(load(&folder.0).unwrap_err().contains("directory"));
    assert!(load(&folder.0.join("absent")).unwrap_err().contains("cannot be opened"));
}

#[test]
fn random_bytes_are_not_truncated_blocks() {
    let folder = Folder::new("random");
    for seed in 0..50 {
        let problem = load(&folder.file("random", &random(seed, 3000))).unwrap_err();
        assert!(problem.contains("not a block") && !problem.contains("truncated"), "{seed}: {problem}");
    }
}
