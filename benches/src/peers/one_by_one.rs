//! What a program without an arena does: every object from a general allocator, and all of them freed at the end.

use std::{
    alloc::{GlobalAlloc, Layout},
    ptr::NonNull,
};

use super::bulk::{Bulk, Object, Place};

pub struct OneByOne<A: 'static> {
    allocator: &'static A,
    objects: usize,
}

impl<A> OneByOne<A> {
    /// For so many objects a thread.
    pub fn new(allocator: &'static A, objects: usize) -> OneByOne<A> {
        OneByOne { allocator, objects }
    }
}

impl<A: GlobalAlloc> Bulk for OneByOne<A> {
    type Handle<'a> = Live<A>;

    fn handle(&self) -> Live<A> {
        // Its memory is touched before the clock.
        let mut objects = vec![NonNull::dangling(); self.objects];
        objects.clear();
        Live { allocator: self.allocator, objects }
    }

    fn reset(&mut self) {}
}

/// One thread's live objects.
pub struct Live<A: 'static> {
    allocator: &'static A,
    objects: Vec<NonNull<Object>>,
}

impl<A: GlobalAlloc> Place for Live<A> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        // SAFETY: an object is not empty.
        let place = unsafe { self.allocator.alloc(Layout::new::<Object>()) };
        let place = NonNull::new(place).expect("the machine has memory for a benchmark").cast();
        // SAFETY: a fresh block of an object's layout.
        unsafe { place.write(object) };
        self.objects.push(place);
        place
    }

    fn finish(&mut self) {
        for object in self.objects.drain(..) {
            // SAFETY: allocated by `place` with this layout, and out of the list.
            unsafe { self.allocator.dealloc(object.as_ptr().cast(), Layout::new::<Object>()) };
        }
    }
}
