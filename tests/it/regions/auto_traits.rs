//! Who may go to another thread and who may be shared: every public type, both ways, decided by the compiler.

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::testing::LcgRandom;
use sharded_arena::{
    AllocError, AllocErrorKind, AllocOrInitError, AllocValueError, Arena, ArenaBuilder, ArenaStats, BestFitArena,
    BestFitStats, BlockArena, BlockArenaBuilder, BumpRegion, Checkpoint, Extent, FreeError, FromUtf8Error,
    FrozenInterner, Heap, HeapBuilder, HeapStats, Interner, InternerBuilder, Key, LimitOwner, Local, LocalHeap, Pool,
    PoolBuilder, PoolFull, PoolStats, Region, RegionBuilder, RegionError, RegionReservation, RegionStats, ReserveError,
    RewindError, Scope, Scratch, ScratchBuilder, ScratchGuard, Snapshot, Symbol, SystemRefusal, UsageHandle,
    VerifyError,
};

// What borrows a pool, for as long as can be.
type InternerIter = sharded_arena::InternerIter<'static>;
type PoolIter<T> = sharded_arena::PoolIter<'static, T>;
type PoolDrain<T> = sharded_arena::PoolDrain<'static, T>;
type PoolIterMut<T> = sharded_arena::PoolIterMut<'static, T>;
type Ref<T> = sharded_arena::Ref<'static, T>;
type Reservation<T> = sharded_arena::Reservation<'static, T>;

/// Compiles if `$type` has `$bound`.
macro_rules! has {
    ($type:ty, $bound:path) => {
        const _: fn() = || {
            fn has<T: ?Sized + $bound>() {}
            has::<$type>();
        };
    };
}

/// Compiles if `$type` lacks `$bound`: with it two implementations apply, and the call below is ambiguous.
macro_rules! lacks {
    ($type:ty, $bound:path) => {
        const _: fn() = || {
            struct Second;
            trait Ambiguous<A> {
                fn call() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $bound> Ambiguous<Second> for T {}
            <$type as Ambiguous<_>>::call();
        };
    };
}

macro_rules! matrix {
    ($($name:ident $(<$of:tt>)?: $send:ident Send, $sync:ident Sync;)*) => {
        $( $send!($name $(<$of>)?, Send); $sync!($name $(<$of>)?, Sync); )*
        /// The types above, by name.
        const NAMES: &[&str] = &[$( stringify!($name) ),*];
    };
}

matrix! {
    Heap: has Send, has Sync;
    HeapBuilder: has Send, has Sync;
    HeapStats: has Send, has Sync;
    LocalHeap<'static>: lacks Send, lacks Sync;
    Region: has Send, has Sync;
    RegionBuilder: has Send, has Sync;
    RegionReservation: has Send, has Sync;
    RegionStats: has Send, has Sync;
    BestFitArena<'static>: has Send, lacks Sync;
    BestFitStats: has Send, has Sync;
    Arena: has Send, has Sync;
    ArenaBuilder: has Send, has Sync;
    ArenaStats: has Send, has Sync;
    Local<'static>: lacks Send, lacks Sync;
    Scratch: has Send, lacks Sync;
    Scope<'static>: lacks Send, lacks Sync;
    ScratchBuilder: has Send, has Sync;
    ScratchGuard<'static>: lacks Send, lacks Sync;
    Checkpoint: has Send, has Sync;
    BumpRegion: has Send, has Sync;
    BlockArena: has Send, lacks Sync;
    BlockArenaBuilder: has Send, has Sync;
    UsageHandle: has Send, has Sync;
    Interner: has Send, has Sync;
    InternerBuilder: has Send, has Sync;
    InternerIter: has Send, has Sync;
    FrozenInterner: has Send, has Sync;
    Symbol: has Send, has Sync;
    SystemRefusal: has Send, has Sync;
    LcgRandom: has Send, has Sync;
    Key<u8>: has Send, has Sync;
    Pool<u8>: has Send, has Sync;
    PoolBuilder<u8>: has Send, has Sync;
    PoolDrain<u8>: has Send, has Sync;
    PoolFull<u8>: has Send, has Sync;
    PoolStats: has Send, has Sync;
    PoolIter<u8>: has Send, has Sync;
    PoolIterMut<u8>: has Send, has Sync;
    Ref<u8>: has Send, has Sync;
    Reservation<u8>: has Send, has Sync;
    AllocError: has Send, has Sync;
    AllocErrorKind: has Send, has Sync;
    AllocOrInitError<u8>: has Send, has Sync;
    AllocValueError<u8>: has Send, has Sync;
    FreeError: has Send, has Sync;
    FromUtf8Error<u8>: has Send, has Sync;
    LimitOwner: has Send, has Sync;
    RegionError: has Send, has Sync;
    ReserveError: has Send, has Sync;
    SystemRefusal: has Send, has Sync;
    RewindError: has Send, has Sync;
    VerifyError: has Send, has Sync;
    Extent: has Send, has Sync;
    Snapshot: has Send, has Sync;
}

// References and collections follow from the types: `&Heap` goes anywhere, what refers to a `LocalHeap` stays.
has!(&'static Heap, Send);
has!(&'static Heap, Sync);
lacks!(&'static LocalHeap<'static>, Send);
lacks!(&'static BestFitArena<'static>, Send);
has!(sharded_arena::allocator_api2::vec::Vec<u8, Heap>, Send);
has!(sharded_arena::allocator_api2::vec::Vec<u8, &'static Heap>, Sync);
lacks!(sharded_arena::allocator_api2::vec::Vec<std::rc::Rc<u8>, Heap>, Send);
lacks!(sharded_arena::allocator_api2::vec::Vec<u8, &'static LocalHeap<'static>>, Send);

// A box goes, and is shared, where both its value and its allocator may.
has!(sharded_arena::boxed::Box<u8, Heap>, Send);
has!(sharded_arena::boxed::Box<u8, &'static Heap>, Sync);
has!(sharded_arena::boxed::Box<std::cell::Cell<u8>, Heap>, Send);
lacks!(sharded_arena::boxed::Box<std::cell::Cell<u8>, Heap>, Sync);
lacks!(sharded_arena::boxed::Box<std::rc::Rc<u8>, Heap>, Send);
lacks!(sharded_arena::boxed::Box<u8, &'static LocalHeap<'static>>, Send);
lacks!(sharded_arena::boxed::Box<u8, &'static LocalHeap<'static>>, Sync);
has!(sharded_arena::boxed::Box<std::marker::PhantomPinned, Heap>, Unpin);
lacks!(sharded_arena::boxed::Box<std::rc::Rc<u8>, Heap>, Copy);
has!(sharded_arena::boxed::Box<[u8], Heap>, Clone);
has!(sharded_arena::boxed::Box<str, Heap>, Clone);
lacks!(sharded_arena::boxed::Box<dyn Sync, Heap>, Clone);

// An `Arc` goes, and is shared, where its value may do both. Sharing it is sharing its allocator, sending it is sending
// that.
has!(sharded_arena::boxed::Arc<u8, Heap>, Send);
has!(sharded_arena::boxed::Arc<u8, Heap>, Sync);
has!(sharded_arena::boxed::Arc<[u8], &'static Heap>, Send);
has!(sharded_arena::boxed::Arc<str, &'static sharded_arena::Arena>, Sync);
has!(sharded_arena::boxed::Arc<dyn Send + Sync, Heap>, Send);
lacks!(sharded_arena::boxed::Arc<dyn Send, Heap>, Send);
lacks!(sharded_arena::boxed::Arc<std::cell::Cell<u8>, Heap>, Send);
lacks!(sharded_arena::boxed::Arc<std::cell::Cell<u8>, Heap>, Sync);
lacks!(sharded_arena::boxed::Arc<std::rc::Rc<u8>, Heap>, Send);
lacks!(sharded_arena::boxed::Arc<std::sync::MutexGuard<'static, u8>, Heap>, Send);
lacks!(sharded_arena::boxed::Arc<std::sync::MutexGuard<'static, u8>, Heap>, Sync);
lacks!(sharded_arena::boxed::Arc<u8, &'static LocalHeap<'static>>, Send);
lacks!(sharded_arena::boxed::Arc<u8, &'static LocalHeap<'static>>, Sync);
has!(sharded_arena::boxed::Arc<u8, Unshared>, Send);
lacks!(sharded_arena::boxed::Arc<u8, Unshared>, Sync);
has!(sharded_arena::boxed::Arc<std::marker::PhantomPinned, Heap>, Unpin);
lacks!(sharded_arena::boxed::Arc<u8, Heap>, Copy);
has!(sharded_arena::boxed::FromUtf8Error<sharded_arena::boxed::Box<[u8], Heap>>, Send);
lacks!(sharded_arena::boxed::FromUtf8Error<sharded_arena::boxed::Box<[u8], &'static LocalHeap<'static>>>, Send);
has!(sharded_arena::ReserveError, std::error::Error);
has!(sharded_arena::ReserveError, Copy);
has!(sharded_arena::boxed::TryNewError<u8>, Send);
lacks!(sharded_arena::boxed::TryNewError<std::rc::Rc<u8>>, Send);

// A pool hands values out, shared and whole, on every thread that has it; a key has none.
has!(Pool<std::cell::Cell<u8>>, Send);
lacks!(Pool<std::cell::Cell<u8>>, Sync);
lacks!(Pool<std::rc::Rc<u8>>, Send);
lacks!(Pool<std::sync::MutexGuard<'static, u8>>, Sync);
lacks!(Ref<std::cell::Cell<u8>>, Send);
lacks!(Ref<std::cell::Cell<u8>>, Sync);
lacks!(Reservation<std::cell::Cell<u8>>, Send);
lacks!(PoolFull<std::rc::Rc<u8>>, Send);
lacks!(Pool<u8>, Clone);
lacks!(Ref<u8>, Clone);
has!(Key<std::rc::Rc<u8>>, Send);
has!(Key<std::rc::Rc<u8>>, Sync);
has!(Key<std::rc::Rc<u8>>, Copy);

// A panic leaves what is shared consistent, so it may be used behind one that was caught.
has!(Arena, std::panic::RefUnwindSafe);
has!(Heap, std::panic::RefUnwindSafe);
has!(&'static Heap, std::panic::UnwindSafe);
has!(Region, std::panic::RefUnwindSafe);
has!(Interner, std::panic::RefUnwindSafe);
has!(FrozenInterner, std::panic::UnwindSafe);
has!(Pool<u8>, std::panic::RefUnwindSafe);
lacks!(Pool<std::cell::Cell<u8>>, std::panic::RefUnwindSafe);

// Handles are `Clone`, a reservation and a thread's own handle are not.
has!(Heap, Clone);
has!(Region, Clone);
has!(UsageHandle, Clone);
lacks!(BlockArena, Clone);
has!(FrozenInterner, Clone);
lacks!(Interner, Clone);
has!(Symbol, Copy);
lacks!(RegionReservation, Clone);
lacks!(LocalHeap<'static>, Clone);
has!(Heap, Allocator);
has!(&'static Heap, Allocator);
has!(&'static LocalHeap<'static>, Allocator);
lacks!(Region, Allocator);
lacks!(BestFitArena<'static>, Allocator);
has!(AllocError, Copy);
has!(AllocError, std::error::Error);
has!(FreeError, std::error::Error);
has!(RegionError, std::error::Error);
has!(SystemRefusal, std::error::Error);
has!(VerifyError, std::error::Error);
has!(RewindError, Copy);
has!(RewindError, std::error::Error);

// An error that carries a value goes where the value may go, and is an error whatever the value is.
lacks!(AllocValueError<std::rc::Rc<u8>>, Send);
lacks!(AllocValueError<std::cell::Cell<u8>>, Sync);
lacks!(AllocOrInitError<std::rc::Rc<u8>>, Send);
has!(AllocValueError<u8>, Copy);
has!(AllocValueError<std::cell::Cell<u8>>, std::error::Error);
has!(AllocOrInitError<AllocError>, std::error::Error);
lacks!(BumpRegion, Clone);
lacks!(Arena, Clone);
lacks!(Scratch, Clone);
lacks!(Local<'static>, Clone);
has!(Checkpoint, Copy);

// Only a shared reference to an arena is an allocator: by value it could be reset under its blocks. A local
// handle borrows its arena.
has!(&'static Arena, Allocator);
lacks!(Arena, Allocator);
lacks!(Scratch, Allocator);
lacks!(BumpRegion, Allocator);
has!(&'static BumpRegion, Allocator);
has!(Local<'static>, Allocator);
has!(&'static Local<'static>, Allocator);
lacks!(sharded_arena::allocator_api2::vec::Vec<u8, Local<'static>>, Send);
has!(sharded_arena::allocator_api2::vec::Vec<u8, &'static BumpRegion>, Send);
has!(&'static Scope<'static>, Allocator);
lacks!(Scope<'static>, Allocator);
has!(sharded_arena::allocator_api2::vec::Vec<u8, &'static Arena>, Send);
has!(sharded_arena::allocator_api2::vec::Vec<u8, &'static Arena>, Sync);
lacks!(sharded_arena::allocator_api2::vec::Vec<std::rc::Rc<u8>, &'static Arena>, Send);
lacks!(sharded_arena::allocator_api2::vec::Vec<std::cell::Cell<u8>, &'static Arena>, Sync);

// Collections go, and are shared, where their values and their allocator may.
use sharded_arena::collections::{Drain, HashMap, HashSet, String, Vec as ArenaVec};
has!(String<Heap>, Send);
has!(String<Heap>, Sync);
has!(String<&'static Arena>, Send);
has!(String<&'static Arena>, Sync);
lacks!(String<&'static LocalHeap<'static>>, Send);
lacks!(String<&'static Scope<'static>>, Send);
lacks!(String<&'static Scope<'static>>, Sync);
has!(String<&'static Heap>, Clone);
lacks!(String<LocalHeap<'static>>, Clone);
has!(Drain<'static, Heap>, Send);
lacks!(Drain<'static, &'static LocalHeap<'static>>, Send);
has!(sharded_arena::collections::FromUtf8Error<Heap>, std::error::Error);
has!(sharded_arena::allocator_api2::collections::TryReserveError, std::error::Error);
has!(ArenaVec<u8, &'static Arena>, Sync);
lacks!(ArenaVec<u8, &'static Scope<'static>>, Send);
has!(HashMap<u8, String<Heap>, Heap>, Send);
has!(HashMap<u8, u8, &'static Arena>, Sync);
lacks!(HashMap<u8, std::rc::Rc<u8>, &'static Heap>, Send);
lacks!(HashMap<u8, u8, &'static Scope<'static>>, Send);
has!(HashSet<u8, &'static Arena>, Send);
lacks!(HashSet<std::rc::Rc<u8>, &'static Arena>, Send);

/// An allocator's handle that may go to another thread, and may not be shared.
#[derive(Clone)]
struct Unshared(#[expect(dead_code, reason = "makes it what it is")] std::cell::Cell<u8>);

#[expect(unsafe_code, reason = "implements an unsafe trait")]
// SAFETY: hands out nothing.
unsafe impl Allocator for Unshared {
    fn allocate(
        &self,
        _: std::alloc::Layout,
    ) -> Result<std::ptr::NonNull<[u8]>, sharded_arena::allocator_api2::alloc::AllocError> {
        Err(sharded_arena::allocator_api2::alloc::AllocError)
    }
    unsafe fn deallocate(&self, _: std::ptr::NonNull<u8>, _: std::alloc::Layout) {}
}

/// What the crate's root exports is in the matrix, traits and what its macros call apart.
#[test]
fn every_exported_type_is_listed() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = std::fs::read_to_string(path).expect("the library's root");
    let (text, _macros) = text.split_once("pub mod __private").expect("what the macros call");
    let mut exported = 0;
    let statements = text.split(';').filter_map(|part| part.split_once("pub use ")).map(|(_, names)| names);
    for statement in statements.filter(|names| !names.starts_with("traits::")) {
        let names = statement.rsplit("::").next().expect("at least one part");
        for name in names.split(['{', '}', ',']).map(str::trim).filter(|name| name.starts_with(char::is_uppercase)) {
            assert!(NAMES.contains(&name), "{name} is exported and not in the matrix");
            exported += 1;
        }
    }
    assert!(exported >= 15, "{exported} names were found");
}
