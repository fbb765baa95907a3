//! `debug_figures!`: `Debug` of what shows some of its figures.

/// Implements `Debug` as the type's name and what the methods named return: `debug_figures! { [] Arena: limit,
/// memory_usage }`.
macro_rules! debug_figures {
    ([$($generic:tt)*] $type:ident $(<$($of:tt),+>)?: $($figure:ident),+) => {
        impl $($generic)* core::fmt::Debug for $type $(<$($of),+>)? {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($figure), &self.$figure()))+
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use debug_figures;
