//! What the seat stands on, as small as it can be.

use std::cell::RefCell;

use shuttle::thread::LocalKey;

/// The errors the seat knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Closed.
    Closed,
    /// A write inside a write.
    Reentrant,
    /// Suspended.
    Suspended,
    /// Somebody stayed in the seat.
    Busy,
}

/// Interrupts nothing: what runs here ends by itself.
#[derive(Debug, Default)]
pub struct InterruptHandle;

impl InterruptHandle {
    /// Nothing to interrupt.
    pub const fn interrupt(&self) {}
}

pub mod tx {
    //! The transaction a closure gets.

    /// Writes on behalf of whoever waits.
    pub struct Tx<'a> {
        /// What is written and not committed.
        pub open: &'a mut Vec<usize>,
    }
}

pub mod writer {
    //! The one who sits in the seat.

    use super::InterruptHandle;

    /// The place of a connection.
    #[derive(Debug, Default)]
    pub struct Conn;

    impl Conn {
        /// As of a connection.
        pub const fn get_interrupt_handle(&self) -> InterruptHandle {
            InterruptHandle
        }
    }

    /// What was written, by number.
    #[derive(Debug, Default)]
    pub struct Writer {
        /// The connection, for its handle.
        pub conn: Conn,
        /// Committed.
        pub committed: Vec<usize>,
        /// In the open transaction.
        pub open: Vec<usize>,
    }
}

/// The scheduler's thread-local has less to say than the standard one.
pub trait WithBorrow<T> {
    /// As in the standard library.
    fn with_borrow<R>(&'static self, look: impl FnOnce(&T) -> R) -> R;
    /// As in the standard library.
    fn with_borrow_mut<R>(&'static self, change: impl FnOnce(&mut T) -> R) -> R;
}

impl<T: 'static> WithBorrow<T> for LocalKey<RefCell<T>> {
    fn with_borrow<R>(&'static self, look: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| look(&cell.borrow()))
    }

    fn with_borrow_mut<R>(&'static self, change: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| change(&mut cell.borrow_mut()))
    }
}
