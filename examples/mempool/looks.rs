//! What bytes look like that are no block: text, hexadecimal or not, and what people mistake for blocks.

use bitcoin_slices::{Parse, bsl};

/// Beginnings of files that hold something else.
const BEGINNINGS: [(&[u8], &str); 8] = [
    (&[0x1f, 0x8b], "is compressed (gzip): unpack it first"),
    (b"PK\x03\x04", "is compressed (zip): unpack it first"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "is compressed (zstd): unpack it first"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "is compressed (xz): unpack it first"),
    (b"BZh", "is compressed (bzip2): unpack it first"),
    (b"\x7fELF", "is a program, not a block"),
    (&[0xff, 0xfe], "looks like text in UTF-16: save it as plain text"),
    (&[0xfe, 0xff], "looks like text in UTF-16: save it as plain text"),
];

/// So many hexadecimal digits at its beginning make a text hexadecimal, though another character follows.
const ENOUGH_DIGITS: usize = 16;

/// Describes what bytes that are neither text nor a block look like.
pub(crate) fn like(bytes: &[u8]) -> String {
    if let Some((_, looks)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return (*looks).to_owned();
    }
    if bytes.len() == 8 {
        return "is 8 bytes long, as the key in xor.dat is: name the blk*.dat beside it".to_owned();
    }
    if bsl::Transaction::parse(bytes).is_ok_and(|tx| tx.remaining().is_empty()) {
        return "is one transaction without a block".to_owned();
    }
    "is not a block and begins like no file of blocks: its bytes look random (an obfuscated blk*.dat needs its key, \
     xor.dat, beside it)"
        .to_owned()
}

/// The bytes as text, if they are text.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.chars().any(|c| c.is_control() && !c.is_whitespace())).then_some(text)
}

/// The bytes that a text says in hexadecimal digits, with white space anywhere; else what the text looks like.
pub(crate) fn hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("holds only white space".to_owned());
    }
    let digits = text.trim_matches('"');
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut first = None;
    for c in digits.chars().filter(|c| !c.is_whitespace()) {
        let Some(digit) = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) else {
            return Err(other_text(text, c, bytes.len() * 2));
        };
        first = match first {
            None => Some(digit),
            Some(high) => {
                bytes.push(high << 4 | digit);
                None
            }
        };
    }
    if first.is_some() {
        return Err("is hexadecimal text with an odd number of digits: some are missing".to_owned());
    }
    Ok(bytes)
}

/// Describes what a text looks like that has `stray` after so many hexadecimal digits.
fn other_text(text: &str, stray: char, digits: usize) -> String {
    if digits >= ENOUGH_DIGITS {
        return format!("is hexadecimal text, but has {stray:?} after {digits} digits");
    }
    match text.as_bytes() {
        [b'{' | b'[', ..] => {
            "looks like JSON: the block itself is wanted, as `bitcoin-cli getblock HASH 0` prints it".to_owned()
        }
        [b'<', ..] => "looks like HTML or XML, not a block".to_owned(),
        _ => "is text, but not hexadecimal".to_owned(),
    }
}
