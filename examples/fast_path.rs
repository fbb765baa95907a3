//! Exists to be disassembled: one function for each fast path that the documentation speaks of.
//!
//! "No lock and no atomic read-modify-write" is a promise about instructions, so the instructions are looked at:
//! `.ci/fast_path` prints what the optimiser made of each function here, from its entry to its return, and fails if one
//! of them is locked or calls anything but what is marked cold. The functions are not inlined and are called through
//! pointers that the optimiser cannot see through, so that what is printed is what a caller gets who has a `&Local`, an
//! `&Arena` or a `&Heap` and nothing more.
//!
//! Run, it uses each once and says where the results lie: `cargo run --release --example fast_path`

use std::hint::black_box;
use std::io::{self, Write as _};

use sharded_arena::boxed::Box;
use sharded_arena::{AllocError, Arena, Heap, Interner, Local, Region, Symbol};

/// Three words: of a constant size, as most values are.
type Value = [u64; 3];

// ---- the fast paths
// ---------------------------------------------------------------------------------------------------

#[inline(never)]
fn local_24<'a>(local: &Local<'a>, value: Value) -> &'a mut Value {
    local.alloc(value)
}

#[inline(never)]
fn arena_24(arena: &Arena, value: Value) -> &mut Value {
    arena.alloc(value)
}

#[inline(never)]
fn local_str<'a>(local: &Local<'a>, text: &str) -> &'a mut str {
    local.alloc_str(text)
}

#[inline(never)]
fn arena_bytes<'a>(arena: &'a Arena, bytes: &[u8]) -> &'a mut [u8] {
    arena.alloc_slice_copy(bytes)
}

#[inline(never)]
fn heap_alloc_24(heap: &Heap, value: Value) -> Option<Box<Value, &Heap>> {
    Box::try_new_in(value, heap).ok()
}

#[inline(never)]
fn heap_free_24(block: Box<Value, &Heap>) {
    drop(block);
}

#[inline(never)]
fn intern_known(names: &Interner, text: &str) -> Result<Symbol, AllocError> {
    names.intern(text)
}

#[inline(never)]
fn resolve(names: &Interner, symbol: Symbol) -> Option<&str> {
    names.resolve(symbol)
}

// ---- their use
// --------------------------------------------------------------------------------------------------------

fn main() -> Result<(), std::boxed::Box<dyn std::error::Error>> {
    let region = Region::with_capacity(1 << 20)?;
    let (arena, heap) = (Arena::in_region(&region), Heap::in_region(&region));
    let names = Interner::in_region(&region);
    let local = arena.local();

    let by_local: for<'a> fn(&Local<'a>, Value) -> &'a mut Value = black_box(local_24);
    let by_arena: fn(&Arena, Value) -> &mut Value = black_box(arena_24);
    let text_by_local: for<'a> fn(&Local<'a>, &str) -> &'a mut str = black_box(local_str);
    let bytes_by_arena: for<'a> fn(&'a Arena, &[u8]) -> &'a mut [u8] = black_box(arena_bytes);
    let by_heap: fn(&Heap, Value) -> Option<Box<Value, &Heap>> = black_box(heap_alloc_24);
    let free: fn(Box<Value, &Heap>) = black_box(heap_free_24);
    let intern: fn(&Interner, &str) -> Result<Symbol, AllocError> = black_box(intern_known);
    let by_symbol: fn(&Interner, Symbol) -> Option<&str> = black_box(resolve);

    let (first, second) = (by_local(&local, [1, 2, 3]), by_arena(&arena, [4, 5, 6]));
    let (text, bytes) = (text_by_local(&local, "lock-free"), bytes_by_arena(&arena, b"bytes"));
    let block = by_heap(&heap, [7, 8, 9]).ok_or("the heap refused 24 bytes")?;
    names.intern("known")?;
    let known = by_symbol(&names, intern(&names, "known")?).ok_or("a symbol without its string")?;

    let mut out = io::stdout().lock();
    let mut show = |name: &str, ptr: *const u8| match region.offset_of(ptr) {
        Some(offset) => writeln!(out, "{name:<18} at byte {offset} of the region"),
        None => Err(io::Error::other(format!("{name} lies outside the region"))),
    };
    show("Local::alloc", first.as_ptr().cast())?;
    show("Arena::alloc", second.as_ptr().cast())?;
    show("Local::alloc_str", text.as_ptr())?;
    show("alloc_slice_copy", bytes.as_ptr())?;
    show("boxed::Box in Heap", block.as_ptr().cast())?;
    show("Interner::resolve", known.as_ptr())?;

    let sum = first.iter().chain(&*second).chain(&*block).sum::<u64>();
    free(block);
    if (sum, &*text, &*bytes, heap.live_bytes()) != (45, "lock-free", b"bytes", 0) {
        return Err("what was put in did not come out".into());
    }
    Ok(())
}
