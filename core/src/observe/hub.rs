//! Who waits for which commits.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::sync::watch;

use crate::Error;
use crate::storage::ChangeSet;

/// Remembers, per table, the last commit that changed it.
#[derive(Debug)]
pub(crate) struct Hub {
    marks: Mutex<Marks>,
    signal: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Marks {
    /// Rises with every change of any kind.
    clock: u64,
    tables: BTreeMap<String, u64>,
    /// The last change of sync state.
    sync: u64,
    closed: bool,
    /// Nobody reads until the store is resumed.
    suspended: bool,
    /// The last time everything may have changed.
    all: u64,
}

/// What a watcher looks at.
#[derive(Debug, Clone)]
pub(crate) enum Interest {
    /// Commits that change one of these tables.
    Tables(Vec<String>),
    /// Changes of sync state, and commits that change one of these tables.
    Sync(Vec<String>),
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { marks: Mutex::new(Marks::default()), signal: watch::Sender::new(0) }
    }

    /// A commit became visible.
    pub(crate) fn committed(&self, changes: &ChangeSet) {
        self.change(|marks, clock| {
            for table in changes.tables.keys() {
                match marks.tables.get_mut(table) {
                    Some(mark) => *mark = clock,
                    None => drop(marks.tables.insert(table.clone(), clock)),
                }
            }
            if changes.sync || changes.ops > 0 {
                marks.sync = clock;
            }
        });
    }

    /// The driver's state changed.
    pub(crate) fn sync_changed(&self) {
        self.change(|marks, clock| marks.sync = clock);
    }

    /// Watches read nothing until [`Hub::resume`].
    pub(crate) fn suspend(&self) {
        self.change(|marks, _| marks.suspended = true);
    }

    /// Watches read again: somebody else may have written meanwhile.
    pub(crate) fn resume(&self) {
        self.change(|marks, clock| {
            marks.suspended = false;
            marks.all = clock;
        });
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        self.change(|marks, _| marks.closed = true);
    }

    fn change(&self, mark: impl FnOnce(&mut Marks, u64)) {
        let clock = {
            let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            marks.clock += 1;
            let clock = marks.clock;
            mark(&mut marks, clock);
            clock
        };
        if self.signal.receiver_count() > 0 {
            self.signal.send_replace(clock);
        }
    }

    /// Whether there is news for somebody who saw everything up to `seen`; if so, up to when. `Err`: closed.
    fn news(&self, interest: &Interest, seen: Option<u64>) -> Result<Option<u64>, Error> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.closed {
            return Err(Error::Closed);
        }
        if marks.suspended {
            return Ok(None);
        }
        let (tables, sync) = match interest {
            Interest::Tables(tables) => (tables, marks.all),
            Interest::Sync(tables) => (tables, marks.sync.max(marks.all)),
        };
        let newest = tables.iter().filter_map(|table| marks.tables.get(table).copied()).fold(sync, u64::max);
        Ok(seen.is_none_or(|seen| newest > seen).then_some(marks.clock))
    }
}

/// One watcher's place: what it looks at, and what it has seen.
#[derive(Debug)]
pub(crate) struct Place {
    hub: Arc<Hub>,
    interest: Interest,
    /// None: nothing yet.
    seen: Mutex<Option<u64>>,
    closed: watch::Sender<bool>,
}

impl Place {
    pub(crate) fn new(hub: Arc<Hub>, interest: Interest) -> Self {
        Self { hub, interest, seen: Mutex::new(None), closed: watch::Sender::new(false) }
    }

    /// Waits until there is something this watcher has not seen, and says up to when. None: closed.
    /// It counts as seen once [`Place::see`] says so: a call that is dropped loses nothing.
    pub(crate) async fn news(&self) -> Option<u64> {
        let mut signal = self.hub.signal.subscribe();
        let mut closed = self.closed.subscribe();
        loop {
            signal.mark_unchanged();
            if *closed.borrow_and_update() {
                return None;
            }
            let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(clock) = self.hub.news(&self.interest, seen).ok()? {
                return Some(clock);
            }
            let (changed, closing) = (pin!(signal.changed()), pin!(closed.changed()));
            futures_util::future::select(changed, closing).await;
        }
    }

    /// Everything up to `clock` was delivered.
    pub(crate) fn see(&self, clock: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = (*seen).max(Some(clock));
    }

    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }
}

/// Runs blocking reads off the caller's executor.
#[derive(Debug, Clone)]
pub(crate) struct Offload(pub(crate) crate::driver::Tasks);

impl Offload {
    /// Runs `work` on a thread that may wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
    }
}

/// Waits for a future on this thread, whatever runtime it may be part of.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
