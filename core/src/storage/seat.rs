//! The writer's seat: whoever sits in it writes, and writes for those who wait (flat combining).
//!
//! There is no writer thread. A caller who finds the seat free runs on its own thread, without a hop. Callers who
//! arrive meanwhile queue their closures; the one in the seat runs them too, each in a savepoint, and all share one
//! COMMIT: that is where `Durability::Power` becomes cheap. Then the seat goes to the first who still waits.
//! ADR 0011 says why, and why not a thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::InterruptHandle;

use super::tx::Tx;
use super::writer::Writer;
use crate::error::Error;

/// A closure that waits for whoever is in the seat. It keeps its own result.
pub(crate) type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Result<(), Error> + Send>;

/// The seat.
pub(crate) struct Seat {
    state: Mutex<State>,
    /// Somebody gave the seat up while it is being cleared.
    home: Condvar,
}

struct State {
    writer: Option<Box<Writer>>,
    waiting: VecDeque<Arc<Place>>,
    /// Why nobody is let in, if so.
    gone: Option<Error>,
    /// Ends the statement of whoever sits in it.
    interrupt: InterruptHandle,
}

/// How long a transaction under way may go on when the seat is cleared in a hurry.
const GRACE: Duration = Duration::from_millis(150);
/// How often its statements are ended after that.
const INTERRUPT_EVERY: Duration = Duration::from_millis(50);
/// How often, before whoever clears the seat is told that it is still taken.
const INTERRUPTS_MAX: u32 = 12;

/// One who waits.
pub(crate) struct Place {
    state: Mutex<Standing>,
    changed: Condvar,
}

enum Standing {
    /// Waits, with the closure others may run; without one, only the seat will do.
    Waits(Option<Job>),
    /// Somebody runs its closure.
    Runs,
    /// Its closure was run, and committed if it is well.
    Done(Result<(), Error>),
    /// The seat is its own; and its closure is still there.
    Turn(Box<Writer>, Option<Job>),
    /// It has taken what it got.
    Left,
}

/// What came of asking for the seat.
pub(crate) enum Entered<'s> {
    /// The seat is ours; the closure is still to be run.
    Turn(Turn<'s>, Option<Job>),
    /// Somebody ran the closure for us.
    Done(Result<(), Error>),
}

/// The seat, taken. Gives it up when dropped, also while a panic unwinds.
pub(crate) struct Turn<'s> {
    seat: &'s Seat,
    writer: Option<Box<Writer>>,
}

thread_local! {
    /// The seats this thread sits in, so that a write inside a write is an error and not a wait for ever.
    static SITTING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Seat {
    /// A free seat.
    pub(crate) fn new(writer: Writer) -> Self {
        let interrupt = writer.conn.get_interrupt_handle();
        let state = State { writer: Some(Box::new(writer)), waiting: VecDeque::new(), gone: None, interrupt };
        Self { state: Mutex::new(state), home: Condvar::new() }
    }

    /// Takes the seat if it is free.
    ///
    /// # Errors
    /// [`Error::Reentrant`], [`Error::Closed`].
    pub(crate) fn try_enter(&self) -> Result<Option<Turn<'_>>, Error> {
        let mut state = self.admit()?;
        Ok(state.writer.take().map(|writer| Turn::sit(self, writer)))
    }

    /// Takes the seat, or waits for it; meanwhile others may run `job`.
    ///
    /// # Errors
    /// [`Error::Reentrant`], [`Error::Closed`].
    pub(crate) fn enter(&self, job: Option<Job>) -> Result<Entered<'_>, Error> {
        let mut state = self.admit()?;
        if let Some(writer) = state.writer.take() {
            return Ok(Entered::Turn(Turn::sit(self, writer), job));
        }
        let place = Arc::new(Place { state: Mutex::new(Standing::Waits(job)), changed: Condvar::new() });
        state.waiting.push_back(Arc::clone(&place));
        drop(state);
        Ok(place.wait(self))
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Whether this thread may wait for the writer to leave.
    ///
    /// # Errors
    /// [`Error::Reentrant`], [`Error::Closed`].
    pub(crate) fn may_leave(&self) -> Result<(), Error> {
        if self.own()?.gone == Some(Error::Closed) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Lets nobody in any more: those who wait are turned away.
    ///
    /// # Errors
    /// [`Error::Reentrant`], [`Error::Closed`].
    pub(crate) fn refuse(&self) -> Result<(), Error> {
        self.may_leave()?;
        let mut state = self.own()?;
        state.gone = Some(Error::Suspended);
        for place in state.waiting.drain(..) {
            place.finish(Err(Error::Suspended));
        }
        Ok(())
    }

    /// Takes the writer out of a seat that refuses: waits a moment for whoever sits in it, then ends their statements.
    /// None: it is out already.
    ///
    /// # Errors
    /// [`Error::Busy`] if they stay all the same.
    pub(crate) fn clear(&self, was_out: bool) -> Result<Option<Box<Writer>>, Error> {
        let mut state = lock(&self.state);
        for at in 0..=INTERRUPTS_MAX {
            if let Some(writer) = state.writer.take() {
                return Ok(Some(writer));
            }
            if was_out {
                return Ok(None);
            }
            if at > 0 {
                state.interrupt.interrupt();
            }
            let patience = if at == 0 { GRACE } else { INTERRUPT_EVERY };
            state = self.home.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.writer.take().map_or(Err(Error::Busy), |writer| Ok(Some(writer)))
    }

    /// Puts a writer that was taken out back, still refusing everybody.
    pub(crate) fn keep(&self, writer: Box<Writer>) {
        lock(&self.state).writer = Some(writer);
    }

    /// Lets people in again, with this writer or the one that never left.
    pub(crate) fn admit_again(&self, writer: Option<Writer>) {
        let mut state = lock(&self.state);
        if let Some(writer) = writer {
            state.interrupt = writer.conn.get_interrupt_handle();
            state.writer = Some(Box::new(writer));
        }
        state.gone = None;
    }

    /// Whether it refuses because of a suspension; if so, whether a writer is still there.
    pub(crate) fn suspended(&self) -> Option<bool> {
        let state = lock(&self.state);
        (state.gone == Some(Error::Suspended)).then_some(state.writer.is_some())
    }

    /// Closes the seat: waits for it, then lets nobody in any more. The connection is dropped by the caller.
    pub(crate) fn close(&self) -> Result<Box<Writer>, Error> {
        {
            let mut state = self.own()?;
            if state.gone == Some(Error::Suspended) {
                state.gone = Some(Error::Closed);
                return state.writer.take().ok_or(Error::Closed);
            }
        }
        match self.enter(None)? {
            Entered::Turn(mut turn, _) => {
                let writer = turn.writer.take().ok_or(Error::Closed)?;
                lock(&self.state).gone = Some(Error::Closed);
                drop(turn);
                Ok(writer)
            }
            Entered::Done(_) => Err(Error::Closed),
        }
    }

    fn admit(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.own()?;
        match &state.gone {
            Some(why) => Err(why.clone()),
            None => Ok(state),
        }
    }

    /// The seat's state, for those who do not sit in it.
    fn own(&self) -> Result<MutexGuard<'_, State>, Error> {
        let here = std::ptr::from_ref(self).addr();
        if SITTING.with_borrow(|sitting| sitting.contains(&here)) {
            return Err(Error::Reentrant);
        }
        Ok(lock(&self.state))
    }
}

impl<'s> Turn<'s> {
    fn sit(seat: &'s Seat, writer: Box<Writer>) -> Self {
        SITTING.with_borrow_mut(|sitting| sitting.push(std::ptr::from_ref(seat).addr()));
        Self { seat, writer: Some(writer) }
    }

    /// The writer.
    pub(crate) fn writer(&mut self) -> Result<&mut Writer, Error> {
        self.writer.as_deref_mut().ok_or(Error::Closed)
    }

    /// Takes the closure of the first who waits with one; those who want the seat itself are not overtaken.
    pub(crate) fn next_job(&self) -> Option<(Arc<Place>, Job)> {
        let mut state = lock(&self.seat.state);
        let place = Arc::clone(state.waiting.front()?);
        let mut standing = lock(&place.state);
        let job = match &mut *standing {
            Standing::Waits(job) => job.take()?,
            _ => return None,
        };
        *standing = Standing::Runs;
        state.waiting.pop_front();
        drop(standing);
        Some((place, job))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let here = std::ptr::from_ref(self.seat).addr();
        SITTING.with_borrow_mut(|sitting| {
            if let Some(at) = sitting.iter().rposition(|seat| *seat == here) {
                sitting.remove(at);
            }
        });
        let mut state = lock(&self.seat.state);
        match self.writer.take() {
            None => {
                for place in state.waiting.drain(..) {
                    place.finish(Err(Error::Closed));
                }
            }
            Some(writer) if state.gone.is_some() => {
                state.writer = Some(writer);
                self.seat.home.notify_all();
            }
            Some(writer) => match state.waiting.pop_front() {
                Some(place) => place.give(writer),
                None => state.writer = Some(writer),
            },
        }
    }
}

impl Place {
    /// Tells the one who waits what came of its closure.
    pub(crate) fn finish(&self, result: Result<(), Error>) {
        *lock(&self.state) = Standing::Done(result);
        self.changed.notify_one();
    }

    fn give(&self, writer: Box<Writer>) {
        let mut state = lock(&self.state);
        let job = match &mut *state {
            Standing::Waits(job) => job.take(),
            _ => None,
        };
        *state = Standing::Turn(writer, job);
        drop(state);
        self.changed.notify_one();
    }

    fn wait<'s>(&self, seat: &'s Seat) -> Entered<'s> {
        let mut state = lock(&self.state);
        loop {
            match std::mem::replace(&mut *state, Standing::Left) {
                Standing::Done(result) => return Entered::Done(result),
                Standing::Turn(writer, job) => return Entered::Turn(Turn::sit(seat, writer), job),
                waits => *state = waits,
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// No closure of an app runs while one of these locks is held, so a poisoned one holds nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
