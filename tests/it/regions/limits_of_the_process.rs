//! Where the system bounds the addresses or the memory of a process: small first uses fit, and what it refuses is
//! reported as its refusal.
#![expect(unsafe_code, reason = "sets limits and a filter of the process")]

use crate::support::child;
use sharded_arena::{
    AllocError, AllocErrorKind, Arena, BestFitArena, BlockArena, Heap, Interner, Pool, Region, RegionError, Scratch,
};

const MIB: u64 = 1 << 20;

/// Lowers a limit of this process, which is a child.
fn lower(which: libc::__rlimit_resource_t, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: `setrlimit` reads the structure.
    assert_eq!(unsafe { libc::setrlimit(which, &raw const limit) }, 0);
}

/// Bytes of addresses that this process has now.
fn addresses() -> u64 {
    let figures = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    figures.split(' ').next().and_then(|pages| pages.parse::<u64>().ok()).expect("a figure") * 4096
}

/// One small value each of every type whose `new` reserves nothing, all of them at once.
fn five_first_uses() {
    let (arena, pool, interner, scratch) = (Arena::new(), Pool::new(), Interner::new(), Scratch::new());
    let (mut blocks, lending) = (BlockArena::new(), Arena::new());
    arena.try_alloc(5_u32).expect("an arena's first value");
    pool.insert(5_u32).expect("a pool's first value");
    interner.intern("five").expect("an interner's first string");
    scratch.try_alloc(5_u32).expect("a scratch stack's first value");
    blocks.allocate(5).expect("a block arena's first block");
    lending.scratch().try_alloc(5_u32).expect("the first value of a stack that is lent");
    // What is left is the program's.
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(|| vec![1_u8; 4 << 20].len());
    assert_eq!(thread.expect("addresses for a stack").join().expect("memory for a vector"), 4 << 20);
}

#[test]
fn first_uses_fit_in_few_addresses() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(first_uses_fit_in_few_addresses), "all"), None);
        return;
    }
    // The case is a program of few addresses: what the test harness has mapped comes on top.
    lower(libc::RLIMIT_AS, addresses() + 280 * MIB);
    five_first_uses();
}

#[test]
fn first_uses_fit_in_little_memory() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(first_uses_fit_in_little_memory), "all"), None);
        return;
    }
    lower(libc::RLIMIT_DATA, 100 * MIB);
    five_first_uses();
}

fn assert_system(whose: &str, refusal: AllocError) {
    let AllocErrorKind::System(system) = refusal.kind else { panic!("{whose}: {refusal}") };
    assert!(system.asked >= 4096, "{whose}: {system:?}");
    assert_eq!(system.os_error, Some(libc::ENOMEM), "{whose}");
    let text = refusal.to_string();
    for part in ["Cannot allocate memory (os error 12)", &system.asked.to_string(), "ulimit -v", "max_map_count"] {
        assert!(text.contains(part), "{whose}: {part} is not in: {text}");
    }
    assert!(!text.contains("limit reached") && !text.contains(&usize::MAX.to_string()), "{whose}: {text}");
}

#[test]
fn system_refusal_is_told_as_such() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(system_refusal_is_told_as_such), "all"), None);
        return;
    }
    let region = Region::with_capacity(1 << 30).expect("a region");
    let (arena, pool, interner) = (Arena::new(), Pool::new(), Interner::new());
    let (scratch, mut blocks, lending) = (Scratch::new(), BlockArena::new(), Arena::new());
    let beside = Interner::in_region(&region);
    // No mapping more; what the global allocator has is left.
    lower(libc::RLIMIT_AS, addresses());
    assert_system("arena", arena.try_alloc_str("five").expect_err("no addresses"));
    assert_system("interner", interner.intern("five").expect_err("no addresses"));
    assert_system("scratch", scratch.try_alloc_str("five").expect_err("no addresses"));
    assert_system("blocks", blocks.allocate(5).expect_err("no addresses"));
    assert_system("lent scratch", lending.scratch().try_alloc_str("five").expect_err("no addresses"));
    let full = pool.insert(5_u32).expect_err("no addresses");
    assert_eq!((full.value, full.capacity), (5, 0));
    assert_system("pool", pool.refusal().expect("no addresses"));
    // In a region that is there a first use needs no mapping.
    beside.intern("five").expect("the global allocator has memory");

    let mut memory = vec![std::mem::MaybeUninit::uninit(); 16];
    assert!(BestFitArena::over(&mut memory, 1).is_ok());
    for made in [Region::with_capacity(64 << 20).map(|_| ()), Heap::with_capacity(64 << 20).map(|_| ())] {
        let error = made.expect_err("no addresses");
        assert!(matches!(&error, RegionError::System(error) if error.raw_os_error() == Some(libc::ENOMEM)), "{error}");
        assert!(error.to_string().contains("ulimit -v"), "{error}");
    }
}

/// A filter of system calls, as sandboxes have one.
#[test]
fn sysinfo_refused_by_a_filter() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(sysinfo_refused_by_a_filter), "all"), None);
        return;
    }
    let sysinfo = u32::try_from(libc::SYS_sysinfo).expect("a small number");
    let code = |word: u32| u16::try_from(word).expect("16 bits");
    let statement = |word, k| libc::sock_filter { code: code(word), jt: 0, jf: 0, k };
    let mut program = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, sysinfo) },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned()),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
    // SAFETY: sets a flag of this thread, of a child process.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the system copies the program, whose length is given.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) }, 0);
    let mut unset = std::mem::MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the system writes to the structure, or nothing.
    assert_eq!(unsafe { libc::sysinfo(unset.as_mut_ptr()) }, -1, "refused");

    // What lies on the stack where the structure would be.
    for fill in [0, 1, usize::MAX] {
        std::hint::black_box([fill; 512]);
        let arena = Arena::new();
        arena.try_alloc(5_u32).expect("addresses");
        let region = arena.region().expect("made");
        assert_eq!(region.capacity() as u64, (64 << 30) - 4096, "as many as there may be");
    }
}
