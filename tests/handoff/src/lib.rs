//! The writer's seat of `core/src/storage/seat.rs`, the very text, over the locks of a scheduler that decides who goes
//! on at every step (I-18 and I-42 within one process: no lost wake-up, no write acknowledged and lost, none twice).
//!
//! What the seat stands on is replaced by as little as it needs: a writer that notes who wrote, a transaction that
//! commits. `build.rs` plants the bugs that the schedules must find.

pub mod error {
    //! Where the seat looks for its errors.
    pub use crate::parts::Error;
}
pub mod parts;

/// One seat: as it is, or with a planted bug.
macro_rules! seats {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            pub mod $name {
                use crate::parts::{tx, writer};

                #[allow(dead_code, unreachable_pub, missing_docs, clippy::all)]
                mod seat {
                    include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
                }

                include!("world.rs");
            }
        )*
    };
}

seats! {
    /// The seat that is shipped.
    as_it_is
    /// Planted: queues after it let go of the lock.
    queues_late
    /// Planted: looks at the queue and frees the seat in two moments.
    leaves_blindly
    /// Planted: waits before it looks.
    waits_first
    /// Planted: hands the seat over without a word.
    gives_silently
    /// Planted: leaves a seat that refuses without a word.
    leaves_unseen
    /// Planted: turns nobody away who waits when it begins to refuse.
    forgets_waiting
    /// Planted: goes on while it refuses.
    goes_on
}
