//! `Segments`: an array that grows in a region's memory, and never moves what it holds.
//!
//! Segments of one length (about 4 KiB) are made one after the other; a directory says where each begins. An index
//! leads to its value by a shift and two loads, without a lock. Segments are given back together, at the end.
//!
//! - INV-region.segments-1: segment `k` is made before segment `k + 1`, and stands until [`Segments::close`].
//! - INV-region.segments-2: a directory entry that is not zero names an extent of the account's, long enough and
//!   aligned for its values, each of which began as [`Zeroable::zeroed`].
//!
//! Growing is serialised by a lock of its own, under which the region's is taken. The directory lies outside the
//! region: 4 bytes a segment, the first few in place, the others in a table that is reserved when they are needed, and
//! touched as used.
//!
//! Deliberately not here: which values are in use.
#![expect(unsafe_code, reason = "refers to values in the region's memory")]

use core::marker::PhantomData;

use crate::base::error::{AllocError, AllocErrorKind};
use crate::base::system::SystemRefusal;
use crate::memory::table::{Table, Zeroable};
use crate::sync::{Acquire, AtomicU32, Ghost, Mutex, OnceLock, Relaxed, Release};

use super::{Account, Client, Memory};

/// Aimed at for one segment, in bytes.
const SEGMENT_BYTES: usize = 4096;
/// Segments whose places are known without the table: what most arrays never outgrow.
const IN_PLACE: usize = if cfg!(all(test, loom)) { 1 } else { 32 };

/// Why there is not one value more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NoGrowth {
    /// There are as many as there may be.
    Full,
    /// The region refused.
    Refused(AllocError),
}

/// Where a segment is: the granule at which it begins, plus one; zero: not made.
struct DirectoryEntry<T> {
    granule: AtomicU32,
    ghost: Ghost,
    values: body::Values<T>,
}

// SAFETY: an atomic integer, a ghost and a body (both zero-sized outside the model checker).
unsafe impl<T> Zeroable for DirectoryEntry<T> {
    fn zeroed() -> Self {
        Self { granule: AtomicU32::new(0), ghost: Ghost::new(), values: body::Values::default() }
    }
}

/// See the module's header.
pub(crate) struct Segments<T> {
    memory: Memory,
    /// The first of the directory's entries.
    first: [DirectoryEntry<T>; IN_PLACE],
    /// All others, once there is one.
    others: OnceLock<Table<DirectoryEntry<T>>>,
    /// Values there may be.
    most: usize,
    /// Segments made. Written under `growing`.
    made: AtomicU32,
    growing: Mutex<()>,
    owns: PhantomData<T>,
}

impl<T: Zeroable> Segments<T> {
    /// Values in a segment: a power of two.
    pub(crate) const EACH: usize = {
        let count = if cfg!(all(test, loom)) { 2 } else { SEGMENT_BYTES / size_of::<T>() };
        if count == 0 { 1 } else { 1 << count.ilog2() }
    };

    /// Bytes of a region that `count` values take.
    pub(crate) fn bytes_for(count: usize) -> Option<usize> {
        let (whole, rest) = (count / Self::EACH, count % Self::EACH);
        let segment = (Self::EACH * size_of::<T>()).next_multiple_of(16);
        whole.checked_mul(segment)?.checked_add((rest * size_of::<T>()).next_multiple_of(16))
    }

    /// An array of at most `most` values in the region of `account`. Nothing of it is made yet.
    ///
    pub(crate) fn new(account: &Account, most: usize) -> Self {
        // What the region can hold needs no entry beyond.
        let most = most.min(account.region().capacity() / size_of::<T>().max(1)).min(u32::MAX as usize);
        let segments = Self {
            memory: account.region().memory(),
            first: core::array::from_fn(|_| DirectoryEntry::zeroed()),
            others: OnceLock::new(),
            most,
            made: AtomicU32::new(0),
            growing: Mutex::new(()),
            owns: PhantomData,
        };
        if cfg!(all(test, loom)) {
            // The model checker does not see who makes the table.
            let _ = segments.make_others();
        }
        segments
    }

    /// The entry of segment `nth`, if its table is made.
    #[inline(always)]
    fn entry(&self, nth: usize) -> Option<&DirectoryEntry<T>> {
        match self.first.get(nth) {
            Some(entry) => Some(entry),
            None => self.others.get()?.get(nth - IN_PLACE),
        }
    }

    /// Makes the table, before any segment that needs it. Under `growing`.
    fn make_others(&self) -> Result<(), SystemRefusal> {
        let table = Table::reserve(self.most.div_ceil(Self::EACH).saturating_sub(IN_PLACE))?;
        let made = self.others.set(table);
        debug_assert!(made.is_ok(), "made once");
        Ok(())
    }

    /// The entry of the next segment.
    fn next_entry(&self, account: &Account, nth: usize) -> Result<&DirectoryEntry<T>, NoGrowth> {
        if nth >= self.most.div_ceil(Self::EACH) {
            return Err(NoGrowth::Full);
        }
        if nth >= IN_PLACE && self.others.get().is_none() {
            self.make_others().map_err(|system| {
                let (bytes, align) = (Self::EACH * size_of::<T>(), align_of::<T>());
                NoGrowth::Refused(account.region().refusal(bytes, align, AllocErrorKind::System(system)))
            })?;
        }
        self.entry(nth).ok_or(NoGrowth::Full)
    }

    /// Values there may be, if the region has room for them.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Values there are.
    pub(crate) fn len(&self) -> usize {
        // ORDERING(Acquire): every value below is found by its index.
        //   pairs: `grow`'s Release.  loom: m11_grown_once; Relaxed fails it.
        (self.made.load(Acquire) as usize * Self::EACH).min(self.most)
    }

    /// Value `index`, if it was made.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let entry = self.entry(index / Self::EACH)?;
        // ORDERING(Acquire): the segment's values were made.
        //   pairs: `grow`'s Release.  loom: m11_grown; Relaxed fails it.
        let granule = entry.granule.load(Acquire).checked_sub(1)?;
        entry.ghost.look();
        (index < self.most).then(|| {
            // SAFETY: INV-region.segments-2: the segment was made, with a value for every index of it below `most`.
            unsafe { entry.values.at(self.memory, granule, index % Self::EACH) }
        })
    }

    /// Makes the next segment, unless there are more than `have` values already; gives how many there are then.
    ///
    /// # Errors
    /// What keeps it from growing; nothing has changed.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow(&self, account: &Account, have: usize) -> Result<usize, NoGrowth> {
        self.growing.with(|()| {
            let (len, made) = (self.len(), self.made.load(Relaxed));
            if len > have {
                return Ok(len);
            }
            let entry = self.next_entry(account, made as usize)?;
            let count = Self::EACH.min(self.most - len);
            let granule = entry.values.make(account, count).map_err(NoGrowth::Refused)?;
            entry.ghost.enter();
            // ORDERING(Release): the values are made before they can be found.
            //   pairs: `get`'s Acquire.  loom: m11_grown; Relaxed fails it.
            entry.granule.store(granule + 1, Release);
            // ORDERING(Release): the entry precedes the number.
            //   pairs: `len`'s Acquire.  loom: m11_grown_once; Relaxed fails it.
            self.made.store(made + 1, Release);
            if made as usize >= IN_PLACE {
                account.add_metadata_bytes(size_of::<u32>());
            }
            Ok(len + count)
        })
    }

    /// Gives all segments back to the region, if that goes on without the account. Values are not dropped.
    ///
    /// # Safety
    /// `account` is the one they were taken with, and nothing refers to a value any more.
    pub(crate) unsafe fn close(&mut self, account: &Account) {
        if account.is_last() {
            return;
        }
        let len = self.len();
        let extents = (0..len).step_by(Self::EACH).filter_map(|first| {
            let granule = self.entry(first / Self::EACH)?.granule.load(Relaxed).checked_sub(1)?;
            Some(body::extent::<T>(granule, Self::EACH.min(len - first)))
        });
        // SAFETY: `give_back`'s contract: extents that `grow` took, each once; nothing refers to them: the caller's
        // word.
        unsafe { account.give_back(extents) };
        self.made.store(0, Relaxed);
    }
}

/// Where the values are: in the region's memory, or, under the model checker, whose words are not plain bytes, beside
/// it.
mod body {
    use core::alloc::Layout;
    use core::ptr::NonNull;

    use super::super::{Account, Memory};
    use crate::base::error::AllocError;
    use crate::base::extent::Extent;
    use crate::base::size_class::GRANULE_BYTES;
    use crate::memory::table::Zeroable;

    /// The extent of a segment of `count` values at `granule`.
    pub(super) fn extent<T>(granule: u32, count: usize) -> Extent {
        let granules = (count * size_of::<T>()).div_ceil(GRANULE_BYTES);
        Extent::new(granule, u32::try_from(granules).unwrap_or(u32::MAX))
    }

    /// Takes memory for `count` values.
    fn take<T>(account: &Account, count: usize) -> Result<(Extent, NonNull<u8>), AllocError> {
        let bytes = count * size_of::<T>();
        // As long and as aligned as `count` values, whose length fits a region.
        let layout = Layout::from_size_align(bytes, align_of::<T>()).unwrap_or(Layout::new::<T>());
        account.take(bytes, layout)
    }

    #[cfg(not(all(test, loom)))]
    pub(super) struct Values<T>(core::marker::PhantomData<fn() -> T>);

    #[cfg(not(all(test, loom)))]
    impl<T> Default for Values<T> {
        fn default() -> Self {
            Self(core::marker::PhantomData)
        }
    }

    #[cfg(not(all(test, loom)))]
    impl<T: Zeroable> Values<T> {
        /// Value `index` of the segment at `granule`.
        ///
        /// # Safety
        /// The segment was made at `granule`, with more than `index` values.
        #[inline(always)]
        #[expect(clippy::unused_self, reason = "the model checker's body uses it")]
        pub(super) unsafe fn at(&self, memory: Memory, granule: u32, index: usize) -> &T {
            // SAFETY: `NonNull::add`: inside the segment's extent, by this function's contract.
            let value = unsafe { memory.granule(granule).cast::<T>().add(index) };
            // SAFETY: the value was made, and stands until the segments are closed, which takes `&mut`.
            unsafe { value.as_ref() }
        }

        /// Makes a segment of `count` values; gives its granule.
        #[expect(clippy::unused_self, reason = "the model checker's body uses it")]
        pub(super) fn make(&self, account: &Account, count: usize) -> Result<u32, AllocError> {
            let (extent, memory) = take::<T>(account, count)?;
            for index in 0..count {
                // SAFETY: `NonNull::add`: inside the extent just taken, which has room for `count` values.
                let value = unsafe { memory.cast::<T>().add(index) };
                // SAFETY: fresh memory, aligned for a `T` and nobody else's.
                unsafe { T::write_zeroed(value) };
            }
            Ok(extent.offset)
        }
    }

    #[cfg(all(test, loom))]
    pub(super) struct Values<T>(crate::sync::OnceLock<Box<[T]>>);

    #[cfg(all(test, loom))]
    impl<T> Default for Values<T> {
        fn default() -> Self {
            Self(crate::sync::OnceLock::new())
        }
    }

    #[cfg(all(test, loom))]
    impl<T: Zeroable> Values<T> {
        /// Value `index` of the segment. Safe in this body.
        ///
        /// # Safety
        /// As in the other body.
        pub(super) unsafe fn at(&self, _memory: Memory, _granule: u32, index: usize) -> &T {
            &self.0.get().expect("made before it was published")[index]
        }

        pub(super) fn make(&self, account: &Account, count: usize) -> Result<u32, AllocError> {
            let (extent, _) = take::<T>(account, count)?;
            assert!(self.0.set((0..count).map(|_| T::zeroed()).collect()).is_ok(), "made once");
            Ok(extent.offset)
        }
    }
}
