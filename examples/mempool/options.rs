//! The command line: what may be asked for, and a clear message for everything else.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

/// The least limit in bytes: below it the empty index leaves no room for transactions.
const LEAST_LIMIT: usize = 64 << 10;
const MOST_THREADS: usize = 1024;
const LEAST_SECONDS: f64 = 0.1;
const MOST_SECONDS: f64 = 86_400.0;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A bounded transaction pool in one heap, filled and emptied by many threads.

Usage: mempool [OPTIONS]

  --threads N      threads that take transactions in, 1 to 1024 [4]; one more in four confirms
  --limit BYTES    the pool's limit: bytes, or with KiB, MiB or GiB (also K, M, G), at least 64KiB [32MiB]
  --seconds S      how long to run, 0.1 to 86400, both halves together [6]
  --block FILE...  where to take the transactions from: a node's blk*.dat (if it is obfuscated, with its xor.dat beside
                   it), a raw block, or either in hexadecimal text [mainnet block 702861]
  --json           the result as one JSON object, the last line of standard output
  --flip           damage one stored byte before the check, which must then find it
  --help           this text

Exit code: 0, or 1 if a stored transaction was damaged or the limit was exceeded, or 2 for bad options and unusable
block files.
";

/// What to run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) threads: usize,
    pub(crate) limit_bytes: usize,
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
            Long("limit") => options.limit_bytes = limit(&value(&mut args, "--limit")?)?,
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
    let wanted = "a whole number of bytes is wanted, alone or with KiB, MiB or GiB (K, M, G), as in 8MiB";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(format!("--limit {text:?}: {wanted}")),
    };
    if number.is_empty() {
        return Err(format!("--limit {text:?}: {wanted}"));
    }
    let bytes = number.parse::<usize>().ok().and_then(|n| n.checked_mul(1 << shift));
    match bytes {
        Some(bytes) if bytes >= LEAST_LIMIT => Ok(bytes),
        Some(_) => Err(format!("--limit {text:?}: too small, the least is {} KiB", LEAST_LIMIT >> 10)),
        None => Err(format!("--limit {text:?}: too large for this machine's addresses")),
    }
}
