//! The command line: what may be asked for, and a clear message for everything else.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

/// The least limit in bytes: below it the empty index leaves no room for transactions.
const LEAST_LIMIT: u128 = 64_000;
/// The greatest, which is a region's.
const MOST_LIMIT: u128 = (64 << 30) - (4 << 10);
const MOST_THREADS: usize = 1024;
const LEAST_SECONDS: f64 = 0.1;
const MOST_SECONDS: f64 = 86_400.0;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A bounded transaction pool in one heap, filled and emptied by many threads.

Usage: mempool [OPTIONS]

  --threads N      threads that take transactions in, 1 to 1024 [4]; one more in four confirms
  --limit BYTES    the pool's limit, 64KB to just below 64GiB: bytes, or with KiB, MiB, GiB (1024; also K, M, G) or
                   KB, MB, GB (1000), as in 1.5MiB [32MiB]
  --seconds S      how long to run, 0.1 to 86400, both halves together [6]
  --block FILE...  where to take the transactions from: a node's blk*.dat (if it is obfuscated, with its xor.dat beside
                   it), a raw block, or either in hexadecimal text [mainnet block 702861]
  --json           the result as one JSON object, the last line of standard output
  --flip           damage one stored byte before the check, which must then find it
  --help           this text

Ctrl-C ends the run early, with its result so far; a second one ends it at once.

Exit code: 0, or 1 if a stored transaction was damaged or the limit was exceeded, 2 for bad options, 3 for a block file,
an output or memory that cannot be used.
";

/// What to run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) threads: usize,
    pub(crate) limit_bytes: usize,
    /// The limit as it was typed.
    pub(crate) limit_text: String,
    pub(crate) duration: Duration,
    pub(crate) blocks: Vec<PathBuf>,
    pub(crate) json: bool,
    pub(crate) flip: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 4,
            limit_bytes: 32 << 20,
            limit_text: "32MiB".to_owned(),
            duration: Duration::from_secs(6),
            blocks: Vec::new(),
            json: false,
            flip: false,
        }
    }
}

/// Reads the command line; `None` asks for [`HELP`].
pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next().map_err(|e| e.to_string())? {
        match arg {
            Long("threads") => options.threads = threads(&value(&mut args, "--threads")?)?,
            Long("limit") => {
                options.limit_text = value(&mut args, "--limit")?;
                options.limit_bytes = limit(&options.limit_text)?;
            }
            Long("seconds") => options.duration = seconds(&value(&mut args, "--seconds")?)?,
            Long("block") => {
                let files = args.values().map_err(|_| "--block needs at least one file".to_owned())?;
                options.blocks.extend(files.map(PathBuf::from));
            }
            Long("json") => options.json = true,
            Long("flip") => options.flip = true,
            Long("help") | Short('h') => return Ok(None),
            Value(stray) => {
                return Err(format!("unexpected argument {} (block files go after --block)", quoted(&stray)));
            }
            unknown => return Err(unknown.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn value(args: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    let value = args.value().map_err(|_| format!("{option} needs a value"))?;
    value.into_string().map_err(|raw| format!("{option} {}: not valid Unicode", quoted(&raw)))
}

fn quoted(raw: &OsString) -> String {
    format!("{:?}", raw.to_string_lossy())
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=MOST_THREADS).contains(&count) => Ok(count),
        _ => Err(format!("--threads {text:?}: a whole number from 1 to {MOST_THREADS} is wanted")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (LEAST_SECONDS..=MOST_SECONDS).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("--seconds {text:?}: a number from {LEAST_SECONDS} to {MOST_SECONDS} is wanted")),
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        "kb" => Some(1000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        _ => None,
    };
    match unit.and_then(|unit| scaled(number, unit)) {
        None => {
            Err(format!("--limit {text:?}: a number of bytes is wanted, or one with a unit as in 8MiB, 1.5MiB, 64KB"))
        }
        Some(bytes) if bytes < LEAST_LIMIT => Err(format!("--limit {text:?}: too small, the least is 64KB")),
        Some(bytes) if bytes > MOST_LIMIT => {
            Err(format!("--limit {text:?}: too large, the greatest is {MOST_LIMIT} bytes (64 GiB - 4 KiB)"))
        }
        Some(bytes) => usize::try_from(bytes).map_err(|_| format!("--limit {text:?}: too large for this machine")),
    }
}

/// A decimal number, of `unit`s, in whole bytes; a number that is out of range is just beyond it.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // More digits of a fraction do not move a byte.
    let fraction = &fraction[..fraction.len().min(18)];
    let part = fraction.parse::<u128>().ok()? * unit / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let bytes = whole.parse::<u128>().ok().and_then(|whole| whole.checked_mul(unit)?.checked_add(part));
    Some(bytes.unwrap_or(MOST_LIMIT + 1))
}
