//! A device of a test, and its network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tempfile::TempDir;
use turnstone::transport::{MemoryTransport, Request, Transport, TransportError};
use turnstone::{Options, Store};

use crate::TestError;

/// A store in a folder of its own, and its link to the server. The folder goes with it.
pub struct TestDevice {
    /// The store; it syncs when asked.
    pub store: Store,
    /// Its network: cut it, or lose answers.
    pub link: Link,
    // Removed once the store has let go of the file in it.
    _folder: TempDir,
}

impl TestDevice {
    pub(crate) fn open(options: Options, link: Link, folder: TempDir) -> Result<Self, TestError> {
        Ok(Self { store: Store::open(options)?, link, _folder: folder })
    }
}

/// The network between one device and the server. Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct Link {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_cut: AtomicBool,
    answers_to_lose: AtomicU32,
}

impl Link {
    /// Whether it is up; a device without it is offline.
    pub fn set_up(&self, up: bool) {
        self.state.is_cut.store(!up, Ordering::SeqCst);
    }

    /// Loses the answers to the next pushes: the server has them, and the device cannot know.
    pub fn lose_answers(&self, count: u32) {
        self.state.answers_to_lose.fetch_add(count, Ordering::SeqCst);
    }

    pub(crate) fn carry(&self, inner: MemoryTransport) -> impl Transport + 'static {
        Carrier { link: self.clone(), inner }
    }

    fn loses_this_answer(&self) -> bool {
        let one_less = |count: u32| count.checked_sub(1);
        self.state.answers_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

struct Carrier {
    link: Link,
    inner: MemoryTransport,
}

impl Transport for Carrier {
    fn exchange(&self, request: Request) -> turnstone::transport::Exchange<'_> {
        Box::pin(async move {
            if self.link.state.is_cut.load(Ordering::SeqCst) {
                return Err(TransportError::Offline);
            }
            let is_push = request.path.starts_with("/sync/v1/push");
            let answer = self.inner.exchange(request).await;
            if is_push && self.link.loses_this_answer() { Err(TransportError::Timeout) } else { answer }
        })
    }
}
