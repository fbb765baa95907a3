//! Guard mode: freed memory that faults.

mod exhausted;
mod faults;
mod limits;
mod quarantine;

use sharded_arena::Region;

/// Usage is what is quarantined, and all of that comes back.
fn assert_rest_is_quarantined(region: &Region) {
    region.verify().expect("every byte is in one place");
    let stats = region.stats();
    assert_eq!((stats.usage, stats.leased), (stats.quarantined, 0), "{stats}");
    assert_eq!(region.flush_quarantine(), stats.quarantined);
    region.verify().expect("every byte is in one place");
    let stats = region.stats();
    assert_eq!((stats.usage, stats.quarantined, stats.extents_free, stats.free), (0, 0, 1, stats.capacity), "{stats}");
}
