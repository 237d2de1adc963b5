//! A worker and the UI share one sync.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use tokio::sync::Semaphore;

use super::background::BUDGET;
use super::kit::{Device, TestServer, Tokens, no_hooks, wait};
use super::sync::{HostHttp, host};
use crate::background::{FfiDecision, FfiRunReason};
use crate::hooks::http::{FfiHttpFailure, FfiHttpRequest, FfiHttpResponse, FfiHttpTransport};
use crate::open::FfiHooks;
use crate::store::FfiStore;

/// What a transport saw of pushes: how many were under way at once, and what waited to be sent as each began.
#[derive(Default)]
struct Seen {
    under_way: usize,
    most: usize,
    waiting: Vec<u64>,
}

/// Holds pushes until the gate is open.
struct Gate {
    http: Arc<HostHttp>,
    store: OnceLock<Weak<FfiStore>>,
    seen: Mutex<Seen>,
    reached: Sender<()>,
    open: Semaphore,
}

#[async_trait::async_trait]
impl FfiHttpTransport for Gate {
    async fn exchange(&self, request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiHttpFailure> {
        if !request.path.starts_with("/sync/v1/push") {
            return self.http.exchange(request).await;
        }
        {
            let mut seen = self.seen.lock().unwrap();
            seen.under_way += 1;
            seen.most = seen.most.max(seen.under_way);
        }
        let store = self.store.get().unwrap().upgrade().unwrap();
        let waiting = store.status().await.unwrap().pending_groups;
        self.seen.lock().unwrap().waiting.push(waiting);
        self.reached.send(()).unwrap();
        drop(self.open.acquire().await.unwrap());
        let answer = self.http.exchange(request).await;
        self.seen.lock().unwrap().under_way -= 1;
        answer
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a worker and a UI beside the test")]
fn a_worker_and_the_ui_share_one_flight_that_begins_small() {
    let server = TestServer::start();
    let (reached, pushes) = channel();
    let gate = Arc::new(Gate {
        http: host(&server, 0),
        store: OnceLock::new(),
        seen: Mutex::default(),
        reached,
        open: Semaphore::new(0),
    });
    let hooks = FfiHooks { tokens: Some(Tokens::good()), transport: Some(gate.clone()), ..no_hooks() };
    let device = Device::opened(hooks, |options| options);
    gate.store.set(Arc::downgrade(&device.store)).unwrap();
    for n in 0..60 {
        device.insert(&format!("{n}"));
    }
    let (worker, ui) = (device.store.clone(), device.store.clone());
    let worker = std::thread::spawn(move || wait(worker.run_background(BUDGET, FfiRunReason::Scheduled)).unwrap());
    pushes.recv().unwrap();
    let ui = std::thread::spawn(move || wait(ui.sync(None)).unwrap());
    let is_asked_for = |next: FfiDecision| matches!(next, FfiDecision::Now { why } if why == "requested");
    while !is_asked_for(device.store.next_wake().unwrap().decision) {
        std::thread::yield_now();
    }
    gate.open.add_permits(1);
    ui.join().unwrap();
    worker.join().unwrap();
    let seen = gate.seen.lock().unwrap();
    assert_eq!((seen.most, seen.under_way), (1, 0), "one push at a time");
    assert_eq!(seen.waiting, [60, 10], "the first of a run takes fifty");
    assert_eq!(wait(device.store.clone().status()).unwrap().pending_groups, 0);
    let other = Device::on(&server);
    other.sync();
    assert_eq!(other.titles().len(), 60, "each once");
}
