//! The system's word on a region's pages.

use std::fs::{File, read_to_string};
use std::io::{Read, Seek, SeekFrom};

use sharded_arena::Region;

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// Which pages of a region are in memory.
pub(crate) fn present(region: &Region) -> Vec<bool> {
    let mut map = File::open("/proc/self/pagemap").expect("procfs");
    map.seek(SeekFrom::Start((region.base().addr().get() / PAGE * 8) as u64)).expect("a word for each page");
    let mut words = vec![0; region.capacity() / PAGE * 8];
    map.read_exact(&mut words).expect("a word for each page");
    words.chunks(8).map(|word| word[7] & 0x80 != 0).collect()
}

/// Resident bytes of a region.
pub(crate) fn resident(region: &Region) -> usize {
    present(region).into_iter().filter(|present| *present).count() * PAGE
}

/// The system's flags of the mapping that a region's base lies in: `hg` huge pages, `nh` none, `lo` locked, and so on.
pub(crate) fn flags(region: &Region) -> String {
    flags_at(region.base().as_ptr())
}

/// The system's flags of the mapping that `address` lies in.
pub(crate) fn flags_at(address: *const u8) -> String {
    let at = address.addr();
    let covers = |line: &str| {
        let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
        let hex = |digits| usize::from_str_radix(digits, 16).ok();
        range.and_then(|(start, end)| Some((hex(start)?..hex(end)?).contains(&at))).unwrap_or(false)
    };
    let maps = read_to_string("/proc/self/smaps").expect("procfs");
    let flags = maps.lines().skip_while(|line| !covers(line)).find(|line| line.starts_with("VmFlags:"));
    flags.expect("a mapping with flags").to_owned()
}
