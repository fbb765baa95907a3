//! Model 10: a heap that goes while its threads end and another heap of its region looks for memory; a heap that comes
//! after another in the same place.
//!
//! Breaks it: `heap.drop-outside-lock` (`drop_heap`), `heap.id-reused` (`same_address`).

use std::sync::Mutex;

use super::support::harness::{BOUNDED, SMALL, explore};
use super::support::threads::{Count, Place};
use crate::heap::Heap;
use crate::thread::by_hand;

/// A place, and a second heap in its region of which every handle is here, for the role that takes it.
struct Two {
    place: Place,
    handles: Mutex<Vec<Heap>>,
}

impl Two {
    fn new(handles: usize, free: usize) -> Self {
        let place = Place::new(1, free);
        let handles = vec![Heap::with_shards(&place.region, 1); handles];
        Self { place, handles: Mutex::new(handles) }
    }

    /// A handle that is this role's from now on. The lock is not loom's: which of the equal handles a role takes does
    /// not matter.
    fn take_handle(&self) -> Heap {
        self.handles.lock().expect("no role panics with it").pop().expect("a handle for each role")
    }
}

/// Two handles of one heap are dropped by two threads, one of which has used it and ends; a third is refused meanwhile
/// in another heap of the region.
#[test]
fn m10_drop_heap() {
    static USED: Count = Count::new();
    static SERVED: Count = Count::new();
    let uses = |two: &Two| {
        let heap = two.take_handle();
        if let Some(block) = two.place.alloc_from(&heap) {
            two.place.free_to(&heap, block);
            USED.hit();
        }
        by_hand::end();
        drop(heap);
    };
    let drops = |two: &Two| drop(two.take_handle());
    let asks = |two: &Two| {
        by_hand::set_late(true);
        SERVED.hit_if(two.place.use_once());
    };
    let check = |two: &Two| two.place.check();
    explore("m10_drop::drop_heap", BOUNDED, || Two::new(2, 1), &[uses, drops, asks], check);
    USED.happened("the heap was used before it went");
    SERVED.happened("served in the other heap");
}

/// A leaked local's shard comes back with its heap.
#[test]
fn m10_leaked() {
    static SERVED: Count = Count::new();
    let leaks = |two: &Two| {
        let heap = two.take_handle();
        let local = heap.local();
        assert!(two.place.use_local(&local), "two granules are free");
        core::mem::forget(local);
        by_hand::end();
        drop(heap);
        two.place.tell(1);
    };
    let asks = |two: &Two| {
        by_hand::set_late(true);
        if two.place.told() == 1 {
            let blocks = [two.place.alloc(), two.place.alloc()].map(|block| block.expect("the heap's blocks are back"));
            for block in blocks {
                two.place.free(block);
            }
            SERVED.hit();
        }
    };
    explore("m10_drop::leaked", SMALL, || Two::new(1, 2), &[leaks, asks], |two| two.place.check());
    SERVED.happened("served once the heap was gone");
}

/// The last user of a heap makes another in the same place; both threads go on with what they remember of the first.
#[test]
fn m10_same_address() {
    static BOTH: Count = Count::new();
    fn use_both(two: &Two, second: impl FnOnce() -> Option<Heap>) {
        let first = two.take_handle();
        two.place.alloc_from(&first).into_iter().for_each(|block| two.place.free_to(&first, block));
        drop(first);
        if let Some(second) = second() {
            second.check_shard();
            two.place.alloc_from(&second).into_iter().for_each(|block| two.place.free_to(&second, block));
        }
    }
    let makes = |two: &Two| {
        use_both(two, || {
            (two.place.told() == 1).then(|| {
                let second = Heap::with_shards(&two.place.region, 1);
                two.handles.lock().expect("no role panics with it").push(second.clone());
                two.place.tell(1);
                second
            })
        });
    };
    let follows = |two: &Two| {
        use_both(two, || {
            two.place.tell(1);
            (two.place.told() == 2).then(|| {
                BOTH.hit();
                two.take_handle()
            })
        });
    };
    let check = |two: &Two| {
        two.handles.lock().expect("no role panics with it").clear();
        two.place.check();
    };
    explore("m10_drop::same_address", BOUNDED, || Two::new(2, 2), &[makes, follows], check);
    BOTH.happened("both used the second heap");
}
