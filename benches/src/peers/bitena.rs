//! bitena: one word that all threads exchange, over memory of fixed size. It copies no slices.

use std::ptr::NonNull;

use bitena::Bitena;

use super::bulk::{Bulk, Object, Place};

pub struct Fixed(Bitena<'static>);

impl Fixed {
    pub fn with_capacity(bytes: usize) -> Fixed {
        Fixed(Bitena::new(bytes).expect("the machine has memory for a benchmark"))
    }
}

impl Bulk for Fixed {
    type Handle<'a> = &'a Bitena<'static>;

    fn handle(&self) -> &Bitena<'static> {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for &Bitena<'static> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.alloc(object))
    }
}
