//! The writer's seat: one connection, and one commit for all who wait together.
//!
//! A caller that finds the seat free takes it and runs everything queued, its own work included, in one transaction
//! with one fsync. Callers that arrive meanwhile queue; when the holder is done it answers its own batch and hands the
//! seat to the first who waits, so that nobody works for others for ever. If anything in a shared transaction fails,
//! all of it is rolled back and each work runs again by itself: no savepoints on the way that succeeds, and one
//! tenant's failure stays its own.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::storage::{StorageError, Work};

/// The most works that share one transaction.
const BATCH_MAX: usize = 64;

/// Runs work in transactions; the seat calls it with everything that waits.
pub(super) trait Transactions {
    /// Runs all works in one transaction and commits it; on any failure nothing was written.
    fn run(&mut self, works: &mut [Waiting]) -> Result<(), StorageError>;
    /// Tidies up while nobody has an answer outstanding.
    fn rest(&mut self);
}

/// Work in the queue, and who waits for it.
pub(super) struct Waiting {
    pub(super) work: Work,
    reply: SyncSender<Reply>,
}

enum Reply {
    Done(Result<(), StorageError>),
    TakeSeat,
}

/// The seat around a connection.
pub(super) struct Seat<T> {
    queue: Mutex<Queue>,
    writer: Mutex<T>,
}

struct Queue {
    waiting: VecDeque<Waiting>,
    taken: bool,
}

impl<T: Transactions> Seat<T> {
    pub(super) fn new(writer: T) -> Self {
        Self { queue: Mutex::new(Queue { waiting: VecDeque::new(), taken: false }), writer: Mutex::new(writer) }
    }

    /// Runs work, alone or with others, and returns once it is durable or undone.
    pub(super) fn run(&self, work: Work) -> Result<(), StorageError> {
        // Two places: the word to take the seat, and the answer.
        let (reply, answer) = sync_channel(2);
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(Waiting { work, reply });
        let free = !std::mem::replace(&mut queue.taken, true);
        drop(queue);
        if free {
            self.hold();
        }
        loop {
            match answer.recv() {
                Ok(Reply::Done(result)) => return result,
                Ok(Reply::TakeSeat) => self.hold(),
                // Whoever held the seat fell off it.
                Err(_) => return Err(StorageError::GivenUp),
            }
        }
    }

    /// Uses the connection for something small, between batches.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut lock(&self.writer))
    }

    /// Runs one batch from the seat and passes the seat on.
    fn hold(&self) {
        // Passed on even if work panics: nobody may wait for ever.
        let _pass = PassOn(&self.queue);
        let mut batch: Vec<Waiting> = {
            let mut queue = lock(&self.queue);
            let size = queue.waiting.len().min(BATCH_MAX);
            queue.waiting.drain(..size).collect()
        };
        let mut writer = lock(&self.writer);
        let together = writer.run(&mut batch);
        if together.is_err() && batch.len() > 1 {
            for mut alone in batch {
                let result = writer.run(std::slice::from_mut(&mut alone));
                alone.answer(result);
            }
        } else {
            for done in batch {
                done.answer(together.clone());
            }
        }
        writer.rest();
    }
}

impl Waiting {
    fn answer(self, result: Result<(), StorageError>) {
        // A caller that is gone needs no answer.
        let _ = self.reply.try_send(Reply::Done(result));
    }
}

struct PassOn<'a>(&'a Mutex<Queue>);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        let mut queue = lock(self.0);
        queue.taken = queue.waiting.iter().any(|next| next.reply.try_send(Reply::TakeSeat).is_ok());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "callers that wait together are threads")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    /// A writer whose works never touch their transaction.
    struct Counting {
        batches: Arc<AtomicUsize>,
        fail_shared: bool,
    }

    impl Transactions for Counting {
        fn run(&mut self, works: &mut [Waiting]) -> Result<(), StorageError> {
            self.batches.fetch_add(1, Ordering::Relaxed);
            if self.fail_shared && works.len() > 1 {
                return Err(StorageError::Full);
            }
            let connection = rusqlite::Connection::open_in_memory()?;
            works.iter_mut().try_for_each(|waiting| (waiting.work)(&super::super::view::Snapshot::new(&connection)))
        }

        fn rest(&mut self) {}
    }

    /// Holds the seat until `count` others wait, then lets go and gathers their results.
    fn crowd(seat: &Arc<Seat<Counting>>, works: Vec<Work>) -> Vec<Result<(), StorageError>> {
        let (entered_tx, entered) = channel();
        let (leave, left) = channel::<()>();
        let holder = Arc::clone(seat);
        let holding = std::thread::spawn(move || {
            holder.run(Box::new(move |_| {
                entered_tx.send(()).unwrap();
                left.recv().unwrap();
                Ok(())
            }))
        });
        entered.recv().unwrap();
        let callers: Vec<_> = works
            .into_iter()
            .enumerate()
            .map(|(at, work)| {
                let seat2 = Arc::clone(seat);
                let caller = std::thread::spawn(move || seat2.run(work));
                while lock(&seat.queue).waiting.len() <= at {
                    std::thread::yield_now();
                }
                caller
            })
            .collect();
        leave.send(()).unwrap();
        holding.join().unwrap().unwrap();
        callers.into_iter().map(|caller| caller.join().unwrap_or(Err(StorageError::GivenUp))).collect()
    }

    fn seat(fail_shared: bool) -> (Arc<Seat<Counting>>, Arc<AtomicUsize>) {
        let batches = Arc::new(AtomicUsize::new(0));
        (Arc::new(Seat::new(Counting { batches: Arc::clone(&batches), fail_shared })), batches)
    }

    #[test]
    fn callers_that_wait_together_share_one_transaction() {
        let (seat, batches) = seat(false);
        let works = (0..10).map(|_| Box::new(|_: &dyn crate::storage::Tx| Ok(())) as Work).collect();
        assert!(crowd(&seat, works).iter().all(Result::is_ok));
        assert_eq!(batches.load(Ordering::Relaxed), 2, "one for the holder, one for all who waited");
    }

    #[test]
    fn one_failure_in_a_shared_transaction_stays_with_its_caller() {
        let (seat, _) = seat(true);
        let works = (0..10)
            .map(|at| {
                Box::new(move |_: &dyn crate::storage::Tx| if at == 3 { Err(StorageError::Busy) } else { Ok(()) })
                    as Work
            })
            .collect();
        let results = crowd(&seat, works);
        assert_eq!(results[3], Err(StorageError::Busy));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 9);
    }

    #[test]
    fn a_panic_gives_up_its_batch_and_frees_the_seat() {
        let (seat, _) = seat(false);
        let works: Vec<Work> = vec![Box::new(|_| panic!("planted")), Box::new(|_| Ok(()))];
        let results = crowd(&seat, works);
        assert!(results.iter().all(|result| *result == Err(StorageError::GivenUp)));
        assert_eq!(seat.run(Box::new(|_| Ok(()))), Ok(()), "the seat works again");
    }
}
