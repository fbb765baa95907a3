//! A fork: what the child finds.
//!
//! A child has one thread, a copy of the one that forked. What another was doing then is never finished there. So
//! before a fork, in a handler of `pthread_atfork`, the forking thread waits until no other is in the middle of what
//! others would wait for, and keeps it so until the fork is over:
//!
//! - It closes the *gates*: no thread begins a shielded part any more, and those that were begun have ended. Shielded
//!   is each section of a [`Mutex`](super::Mutex), each first value of a [`OnceLock`](super::OnceLock), and what else
//!   calls [`shielded`]: work that passes from one section of a listed lock to another.
//! - Then it takes every listed lock, each a [`ListedMutex`](super::ListedMutex): outer ones, under which others are
//!   taken, then inner ones, the regions'. Both are taken often, so they do without a gate.
//!
//! The child gives the listed locks new words, and from then on no thread of it parks: the queues of `parking_lot` may
//! hold threads that the child has not, and one of these may have locked them.
//!
//! Everything else is left as it is. What the other threads have on loan (blocks, shards, stacks, slots, leases) stays
//! with them, for the child cannot tell what they were about to do with it. They share nothing else by plain memory
//! outside a lock: a thread that follows such memory has the whole exclusively, and in the child the borrows of those
//! threads never end.
//!
//! - INV-sync.fork-1: while the gates are closed, no other thread is in a shielded part, except under an outer lock.
//! - INV-sync.fork-2: a thread that is in a shielded part, or under an outer lock, passes every gate. No shielded part
//!   begins under an inner lock alone. So no thread waits at a gate with what another waits for.
//! - INV-sync.fork-3: a place is in the list from `enter` to `leave`, and does not move meanwhile.
//!
//! No model: loom knows no fork. `tests/it/forks.rs` forks beside threads that do all of it.
#![expect(unsafe_code, reason = "registers handlers; gives locks new words in a child")]

pub(crate) use body::shielded;
pub(super) use body::{Place, Under, is_child};

#[cfg(all(any(target_os = "android", target_os = "freebsd", target_os = "linux", target_vendor = "apple"), not(miri)))]
mod body {
    use core::cell::Cell;
    use core::marker::PhantomPinned;
    use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
    use core::sync::atomic::{AtomicBool, AtomicU32};
    use std::io;

    use crossbeam::utils::CachePadded;
    use parking_lot::RawMutex;
    use parking_lot::lock_api::RawMutex as _;

    /// Gates: a thread uses one of them.
    const GATES: usize = 16;
    /// A gate's bit while it is closed; below it, the threads that are inside.
    const CLOSED: u32 = 1 << 31;

    static GATE: [CachePadded<AtomicU32>; GATES] = [const { CachePadded::new(AtomicU32::new(0)) }; GATES];
    /// Held by the thread that forks.
    static FORKING: RawMutex = RawMutex::INIT;
    static IS_CHILD: AtomicBool = AtomicBool::new(false);

    std::thread_local! {
        /// Shielded parts and outer locks that the thread is in, one inside the other.
        static DEPTH: Cell<u32> = const { Cell::new(0) };
        /// Inner locks that it holds, in debug builds.
        static SECTIONS: Cell<u32> = const { Cell::new(0) };
    }

    /// Whether this process is a forked child.
    pub(in super::super) fn is_child() -> bool {
        // Relaxed: set before the child has a second thread.
        IS_CHILD.load(Relaxed)
    }

    // ---- gates ----------------------------------------------------------------------------------------------------

    /// Runs `part`, during which no other thread forks the process. Two read-modify-writes of a word that few threads
    /// share; nothing where the thread is inside such a part already.
    pub(crate) fn shielded<R>(part: impl FnOnce() -> R) -> R {
        let _inside = Inside::enter();
        part()
    }

    fn depth() -> u32 {
        DEPTH.try_with(Cell::get).unwrap_or(0)
    }

    fn set_depth(depth: u32) {
        // Where thread-locals are keys, a thread that ends may have none any more.
        let _ = DEPTH.try_with(|of_thread| of_thread.set(depth));
    }

    /// The calling thread is inside a shielded part.
    struct Inside(Option<&'static AtomicU32>);

    impl Inside {
        fn enter() -> Self {
            let outer = depth();
            set_depth(outer + 1);
            debug_assert!(outer > 0 || SECTIONS.try_with(Cell::get).unwrap_or(0) == 0, "INV-sync.fork-2");
            Self((outer == 0).then(|| {
                let gate = own_gate();
                let mut seen = gate.load(Relaxed);
                loop {
                    if seen & CLOSED != 0 {
                        std::thread::yield_now();
                        seen = gate.load(Relaxed);
                        continue;
                    }
                    // ORDERING(Acquire): the part begins behind the fork for which the gate was closed.
                    //   pairs: `reopen`'s Release.  No model: loom knows no fork.
                    match gate.compare_exchange_weak(seen, seen + 1, Acquire, Relaxed) {
                        Ok(_) => return gate,
                        Err(now) => seen = now,
                    }
                }
            }))
        }
    }

    impl Drop for Inside {
        fn drop(&mut self) {
            set_depth(depth().saturating_sub(1));
            if let Some(gate) = self.0 {
                // ORDERING(Release): the part's writes precede the fork.  pairs: `prepare`'s Acquire.  No model: loom
                // knows no fork.
                gate.fetch_sub(1, Release);
            }
        }
    }

    /// The calling thread's gate, by the place of its thread-locals.
    fn own_gate() -> &'static AtomicU32 {
        let address = DEPTH.try_with(|depth| core::ptr::from_ref(depth).addr()).unwrap_or(0);
        let hash = (address as u64 >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        &GATE[(hash >> 32) as usize % GATES]
    }

    /// The calling thread holds a listed lock. Of inner ones only debug builds know it.
    pub(in super::super) struct Under<const OUTER: bool>;

    impl<const OUTER: bool> Under<OUTER> {
        #[inline(always)]
        pub(in super::super) fn enter() -> Self {
            if OUTER {
                set_depth(depth() + 1);
            } else if cfg!(debug_assertions) {
                let _ = SECTIONS.try_with(|sections| sections.set(sections.get() + 1));
            }
            Self
        }
    }

    impl<const OUTER: bool> Drop for Under<OUTER> {
        #[inline(always)]
        fn drop(&mut self) {
            if OUTER {
                set_depth(depth().saturating_sub(1));
            } else if cfg!(debug_assertions) {
                let _ = SECTIONS.try_with(|sections| sections.set(sections.get().saturating_sub(1)));
            }
        }
    }

    // ---- listed locks ---------------------------------------------------------------------------------------------

    /// The first places of both lists: of inner locks, and of outer ones.
    struct First([Cell<*const Place>; 2]);

    // SAFETY: a pointer that is followed by the list's holder only.
    unsafe impl Send for First {}

    static LIST: super::super::Mutex<First> =
        super::super::Mutex::new(First([const { Cell::new(core::ptr::null()) }; 2]));

    /// A lock's place in the list.
    pub(in super::super) struct Place {
        lock: Cell<*const RawMutex>,
        previous: Cell<*const Place>,
        next: Cell<*const Place>,
        /// The list leads a forking thread to a lock whose holder has it exclusively: a pinned type's exclusive
        /// reference claims no exclusive access.
        _pinned: PhantomPinned,
    }

    // SAFETY: its cells are used by the list's holder only, whichever thread that is.
    unsafe impl Send for Place {}
    // SAFETY: as for Send.
    unsafe impl Sync for Place {}

    impl Place {
        pub(in super::super) const fn new() -> Self {
            let (lock, previous, next) =
                (const { Cell::new(core::ptr::null()) }, Cell::new(core::ptr::null()), Cell::new(core::ptr::null()));
            Self { lock, previous, next, _pinned: PhantomPinned }
        }

        /// Puts `lock` into the list.
        ///
        /// # Errors
        /// The system's refusal of the first one's handlers.
        ///
        /// # Safety
        /// Neither moves, nor goes, before [`Place::leave`] (INV-sync.fork-3).
        pub(in super::super) unsafe fn enter(&self, lock: &RawMutex, outer: bool) -> io::Result<()> {
            register()?;
            LIST.with(|first| {
                self.lock.set(lock);
                self.next.set(first.0[usize::from(outer)].replace(self));
                // SAFETY: INV-sync.fork-3.
                if let Some(next) = unsafe { self.next.get().as_ref() } {
                    next.previous.set(self);
                }
            });
            Ok(())
        }

        /// Takes the lock out of the list, if it is there.
        pub(in super::super) fn leave(&self, outer: bool) {
            if self.lock.get().is_null() {
                return;
            }
            LIST.with(|first| {
                let (previous, next) = (self.previous.get(), self.next.get());
                // SAFETY: INV-sync.fork-3.
                match unsafe { previous.as_ref() } {
                    Some(previous) => previous.next.set(next),
                    None => first.0[usize::from(outer)].set(next),
                }
                // SAFETY: INV-sync.fork-3.
                if let Some(next) = unsafe { next.as_ref() } {
                    next.previous.set(previous);
                }
            });
        }
    }

    /// Calls `each` with every listed lock, the outer ones first. In a handler only.
    fn for_listed(each: impl Fn(*const RawMutex)) {
        // No other thread is inside, nor waits to be (INV-sync.fork-1).
        LIST.with(|First([inner, outer])| {
            for first in [outer, inner] {
                let mut at = first.get();
                // SAFETY: INV-sync.fork-3.
                while let Some(place) = unsafe { at.as_ref() } {
                    each(place.lock.get());
                    at = place.next.get();
                }
            }
        });
    }

    /// Waits for `lock`, by parking where that may be.
    fn take(lock: &RawMutex) {
        if is_child() {
            while !lock.try_lock() {
                std::thread::yield_now();
            }
        } else {
            lock.lock();
        }
    }

    // ---- handlers -------------------------------------------------------------------------------------------------

    /// Registers the handlers, once. A fork while another thread makes the process's first listed lock may be without
    /// them.
    fn register() -> io::Result<()> {
        static REGISTERED: AtomicBool = AtomicBool::new(false);
        if REGISTERED.swap(true, Relaxed) {
            return Ok(());
        }
        // SAFETY: the handlers are functions of this program, which stand as long as it does; a library that is
        // unloaded takes its handlers along.
        let refused = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
        if refused != 0 {
            REGISTERED.store(false, Relaxed);
            return Err(io::Error::from_raw_os_error(refused));
        }
        Ok(())
    }

    /// Before the fork, on the forking thread.
    unsafe extern "C" fn prepare() {
        take(&FORKING);
        for gate in &GATE {
            gate.fetch_or(CLOSED, Relaxed);
        }
        // What the forking thread is inside itself goes on in both processes.
        let own = u32::from(depth() > 0);
        for gate in &GATE {
            let own = if core::ptr::eq(&raw const **gate, own_gate()) { own } else { 0 };
            // ORDERING(Acquire): the parts that have ended precede the fork.  pairs: the end of `shielded`.  No model.
            while gate.load(Acquire) != CLOSED + own {
                std::thread::yield_now();
            }
        }
        // Other handlers on this thread may use what is shielded.
        set_depth(depth() + 1);
        for_listed(|lock| {
            // SAFETY: INV-sync.fork-3.
            take(unsafe { &*lock });
        });
    }

    /// The gates are open again, and no thread but this one is inside.
    fn reopen() {
        set_depth(depth().saturating_sub(1));
        for gate in &GATE {
            // ORDERING(Release): the fork precedes the parts that waited for it.  pairs: `Inside::enter`'s Acquire.
            //   No model.
            gate.fetch_and(!CLOSED, Release);
        }
    }

    /// Behind the fork, in the parent.
    unsafe extern "C" fn parent() {
        for_listed(|lock| {
            // SAFETY: INV-sync.fork-3.
            let lock = unsafe { &*lock };
            // SAFETY: `prepare` has locked it.
            unsafe { lock.unlock() };
        });
        reopen();
        // SAFETY: `prepare` has locked it.
        unsafe { FORKING.unlock() };
    }

    /// Behind the fork, in the child, whose only thread this is.
    unsafe extern "C" fn child() {
        IS_CHILD.store(true, Relaxed);
        for_listed(renew);
        reopen();
        renew(&raw const FORKING);
    }

    /// The lock is free, and no thread waits for it.
    fn renew(lock: *const RawMutex) {
        // SAFETY: the only thread of the process holds the lock, and an atomic word may be written through a shared
        // pointer.
        unsafe { lock.cast_mut().write(RawMutex::INIT) };
    }
}

/// Where forks are not looked after.
#[cfg(not(all(
    any(target_os = "android", target_os = "freebsd", target_os = "linux", target_vendor = "apple"),
    not(miri)
)))]
mod body {
    use parking_lot::RawMutex;

    pub(in super::super) fn is_child() -> bool {
        false
    }

    pub(crate) fn shielded<R>(part: impl FnOnce() -> R) -> R {
        part()
    }

    pub(in super::super) struct Under<const OUTER: bool>;

    impl<const OUTER: bool> Under<OUTER> {
        pub(in super::super) fn enter() -> Self {
            Self
        }
    }

    pub(in super::super) struct Place;

    impl Place {
        pub(in super::super) const fn new() -> Self {
            Self
        }

        #[expect(clippy::unnecessary_wraps, reason = "the other body can fail")]
        pub(in super::super) unsafe fn enter(&self, _lock: &RawMutex, _outer: bool) -> std::io::Result<()> {
            Ok(())
        }

        pub(in super::super) fn leave(&self, _outer: bool) {}
    }
}
