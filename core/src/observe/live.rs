//! One value that is read anew whenever a commit may have changed it.

use std::sync::{Arc, Mutex, PoisonError};

use super::hub::{Hub, Interest, Offload, Place, block_on};
use crate::Error;

/// A value and how to read it. Shared by all three watches.
pub(crate) struct Live<T> {
    place: Place,
    offload: Offload,
    read: Box<dyn Fn() -> Result<T, Error> + Send + Sync>,
    /// The last value, where one that did not change is not given again.
    last: Option<Mutex<Option<T>>>,
    error: Mutex<Option<Error>>,
}

impl<T: Clone + PartialEq + Send + 'static> Live<T> {
    /// Gives a value after every commit of interest.
    pub(crate) fn new(
        hub: Arc<Hub>,
        offload: Offload,
        interest: Interest,
        read: impl Fn() -> Result<T, Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let place = Place::new(hub, interest);
        Arc::new(Self { place, offload, read: Box::new(read), last: None, error: Mutex::new(None) })
    }

    /// Gives a value only where it differs from the one before.
    pub(crate) fn distinct(
        hub: Arc<Hub>,
        offload: Offload,
        interest: Interest,
        read: impl Fn() -> Result<T, Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (place, last) = (Place::new(hub, interest), Some(Mutex::new(None)));
        Arc::new(Self { place, offload, read: Box::new(read), last, error: Mutex::new(None) })
    }

    pub(crate) async fn next(self: &Arc<Self>) -> Option<T> {
        loop {
            let clock = self.place.news().await?;
            let live = Arc::clone(self);
            let value = self.offload.run(move || (live.read)()).await;
            if let Some(value) = self.deliver(clock, value)? {
                return Some(value);
            }
        }
    }

    pub(crate) fn next_blocking(self: &Arc<Self>) -> Option<T> {
        loop {
            let clock = block_on(self.place.news())?;
            if let Some(value) = self.deliver(clock, (self.read)())? {
                return Some(value);
            }
        }
    }

    /// Counts what was read as seen. None: it could not be read; none inside: it did not change.
    fn deliver(&self, clock: u64, value: Result<T, Error>) -> Option<Option<T>> {
        let value = match value {
            Ok(value) => value,
            // Read again once the store is resumed; the hub gives no news until then.
            Err(Error::Suspended) => return Some(None),
            Err(error) => {
                *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return None;
            }
        };
        self.place.see(clock);
        let Some(last) = &self.last else { return Some(Some(value)) };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() == Some(&value) {
            return Some(None);
        }
        *last = Some(value.clone());
        Some(Some(value))
    }

    pub(crate) fn error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn close(&self) {
        self.place.close();
    }
}
