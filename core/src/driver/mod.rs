//! The only loop of a client: feeds events to the sync machine and runs its commands. The only place that starts
//! threads and arms timers.

use std::future::Future;
use std::sync::Arc;

use crate::Error;
use crate::observe::{Hub, Offload, View};
use crate::options::Options;
use crate::report::SyncReport;
use crate::storage::Database;

/// The driver of one store. It starts a thread only when something needs one.
pub(crate) struct Driver {
    view: View,
}

/// Tells the driver that something happened. Never waits.
#[derive(Clone)]
pub(crate) struct Knock {}

impl Driver {
    pub(crate) fn new(options: &Options, database: Database, _hub: Arc<Hub>) -> Result<Self, Error> {
        Ok(Self { view: View::new(database, options.remote.is_some()) })
    }

    pub(crate) fn view(&self) -> View {
        self.view.clone()
    }

    pub(crate) fn knock(&self) -> Knock {
        Knock {}
    }

    /// Where blocking reads run.
    pub(crate) fn offload(&self) -> Result<Offload, Error> {
        Err(Error::Internal { what: "not built yet" })
    }

    /// Asks for a sync, and gives what it comes to.
    pub(crate) fn sync(&self) -> Result<impl Future<Output = Result<SyncReport, Error>> + Send + use<>, Error> {
        Ok(async { Err(Error::Internal { what: "not built yet" }) })
    }

    /// Ends the loop and waits for it.
    pub(crate) fn stop(&self) {}
}

impl Knock {
    pub(crate) fn work_pending(&self) {}
    pub(crate) fn token_changed(&self) {}
    pub(crate) fn network_changed(&self, _up: bool) {}
    pub(crate) fn poked(&self) {}
}
