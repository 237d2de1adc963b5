//! The process of a device's app: it starts, opens its file (twice, if need be), lets go of it, and ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use turnstone::{Clock, Options, Remote, Store, TokenError, TokenReason};
use turnstone_engine::oplog::Moment;

use super::time::Reading;
use super::{Device, EPOCH_MS};
use crate::app;
use crate::network::Link;
use crate::server::Server;

impl Device {
    /// The app ends as it should.
    pub fn quit(&mut self) {
        self.runtime = None;
        self.store = None;
    }

    /// Starts the app if it is not running. Returns whether it runs.
    pub fn start(&mut self, now_ms: u64) -> bool {
        if self.store.is_some() {
            return self.resume();
        }
        let runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime of one thread");
        self.born_ms = now_ms;
        self.lives += 1;
        let opened = {
            let _inside = runtime.enter();
            let origin = Reading::begin();
            self.origin = Some(origin);
            Store::open(self.options(&runtime, origin))
        };
        self.in_doubt |= self.disk_failed;
        match opened {
            Ok(store) => {
                self.store = Some(store);
                self.runtime = Some(runtime);
                self.failed = None;
                true
            }
            Err(error) => {
                self.failed = Some(error);
                false
            }
        }
    }

    /// Opens the file once more. The handle that was there stays, as [`Device::older`].
    pub fn open_again(&mut self) -> bool {
        let (Some(runtime), Some(origin)) = (&self.runtime, self.origin) else { return false };
        let opened = {
            let _inside = runtime.enter();
            Store::open(self.options(runtime, origin))
        };
        let Ok(again) = opened else { return false };
        self.older = self.store.replace(again);
        // Nobody asks the older handle any more when its time is over.
        self.runs.clear();
        self.in_doubt |= self.disk_failed;
        true
    }

    /// Lets go of the older handle.
    pub fn drop_older(&mut self) {
        let (Some(older), Some(runtime)) = (self.older.take(), &self.runtime) else { return };
        let _inside = runtime.enter();
        drop(older);
    }

    /// Lets go of the file, as the system asks before it freezes an app.
    pub fn suspend(&mut self) {
        let let_go = self.with(Store::suspend);
        self.suspended = let_go.is_some();
        self.in_doubt |= self.disk_failed;
        // A sync or a run under way is ended with it, and whoever waited is told so.
        self.runs.clear();
    }

    fn resume(&mut self) -> bool {
        if self.suspended {
            if let Some(Err(error)) = self.with(Store::resume) {
                self.failed = Some(error);
                return false;
            }
            self.suspended = false;
        }
        true
    }

    fn options(&self, runtime: &Runtime, origin: Reading) -> Options {
        let (time, born_ms) = (Arc::clone(&self.time), self.born_ms);
        let world_ms = move || EPOCH_MS + born_ms + origin.ms();
        let clock_ms = world_ms;
        let clock = Clock::virtual_time(move || {
            let now_ms = clock_ms();
            let boot = time.boot.load(Ordering::Relaxed);
            Moment {
                wall_ms: time.wall().reads(now_ms),
                boot_id: u128::from(boot).to_be_bytes(),
                boot_ms: now_ms.saturating_sub(EPOCH_MS + time.booted_ms.load(Ordering::Relaxed)),
            }
        });
        let (token, key, index) = (Arc::clone(&self.token), self.key.clone(), self.setup.index);
        let tokens = move |reason: TokenReason| {
            if reason != TokenReason::First {
                token.fetch_add(1, Ordering::Relaxed);
            }
            Server::mint(&key, index, token.load(Ordering::Relaxed), world_ms()).map_err(|_| TokenError::Later)
        };
        let options = Options::new("/app.db", app::schema(self.version));
        let options = match &self.witness {
            Some(outside) => options.witness(outside.clone()),
            None => options,
        };
        options
            .vfs(self.setup.vfs.clone())
            .clock(clock)
            .entropy(self.entropy.clone())
            .auto_sync(self.setup.auto)
            .poll_every(self.setup.poll_ms.map(Duration::from_millis))
            .batches(self.setup.entries_max, self.setup.rows_max)
            .on_one_thread(runtime.handle().clone())
            .remote(Remote::custom(Link::new(&self.net, self.setup.index), tokens))
    }

    /// The process ends, at once and without a word. The disk's handles die by `kill`.
    pub fn kill(&mut self, power_seed: Option<u64>, now_ms: u64) {
        // docs/reliability.md, known limit: a commit whose sync failed, the file opened anew, then power loss.
        match power_seed.filter(|_| !self.in_doubt) {
            Some(seed) => {
                self.disk_failed = false;
                self.disk.reboot(seed);
                self.time.boot.fetch_add(1, Ordering::Relaxed);
                self.time.booted_ms.store(now_ms, Ordering::Relaxed);
            }
            None => self.disk.revive(),
        }
        self.in_doubt = self.disk_failed;
        // Tasks first: they hold the store's parts, and must not run once more.
        self.runtime = None;
        self.store = None;
        self.older = None;
        self.suspended = false;
        self.runs.clear();
    }
}
