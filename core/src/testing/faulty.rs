//! A transport around another one that misbehaves the way networks do, repeatably.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use crate::transport::{Exchange, Request, Response, Transport, TransportError};

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Nothing: it goes through.
    Fine,
    /// No server is reached.
    Unreachable,
    /// The server handles it, and the answer is lost.
    LostAnswer,
    /// The server handles it twice; the second answer arrives.
    Doubled,
    /// The server handles it, and it arrives once more after the next one.
    Replayed,
    /// The answer is cut somewhere.
    Cut,
    /// A captive portal answers 200 with a page of its own.
    Portal,
    /// The server answers this status without handling it, and asks to wait so many seconds.
    Refused {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after_s: Option<u64>,
    },
    /// The answer takes so many milliseconds longer.
    Late {
        /// How many.
        ms: u64,
    },
}

impl Fault {
    /// Every kind, for drawing one.
    const ALL: [Self; 9] = [
        Self::Unreachable,
        Self::LostAnswer,
        Self::Doubled,
        Self::Replayed,
        Self::Cut,
        Self::Portal,
        Self::Refused { status: 503, retry_after_s: None },
        Self::Refused { status: 500, retry_after_s: None },
        Self::Late { ms: 20 },
    ];
}

/// A transport that misbehaves. Clones share one seed, one script and one count.
#[derive(Clone)]
pub struct FaultyTransport {
    inner: Arc<dyn Transport>,
    state: Arc<Mutex<State>>,
}

struct State {
    rng: Rng,
    /// Of 1,000 requests, so many meet a fault.
    per_mille: u32,
    script: VecDeque<Fault>,
    replay: Option<Request>,
    counts: BTreeMap<Fault, u64>,
}

impl FaultyTransport {
    /// Wraps a transport; of 1,000 requests, `per_mille` meet a fault drawn from `seed`.
    #[must_use]
    pub fn new(inner: impl Transport + 'static, seed: u64, per_mille: u32) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            per_mille,
            script: VecDeque::new(),
            replay: None,
            counts: BTreeMap::new(),
        };
        Self { inner: Arc::new(inner), state: Arc::new(Mutex::new(state)) }
    }

    /// The next requests meet these faults, one each; after them it goes on by chance.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().script.extend(faults);
    }

    /// From now on, so many of 1,000 requests meet a fault.
    pub fn set_rate(&self, per_mille: u32) {
        self.state().per_mille = per_mille;
    }

    /// How often each fault happened.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> Fault {
        let mut state = self.state();
        let fault = match state.script.pop_front() {
            Some(fault) => fault,
            None if state.rng.u32(0..1_000) < state.per_mille => {
                let at = state.rng.usize(..Fault::ALL.len());
                Fault::ALL.get(at).copied().unwrap_or(Fault::Fine)
            }
            None => Fault::Fine,
        };
        *state.counts.entry(fault).or_default() += 1;
        fault
    }

    async fn pass(&self, request: Request) -> Result<Response, TransportError> {
        let answer = self.inner.exchange(request).await;
        let replay = self.state().replay.take();
        if let Some(old) = replay {
            // What was lost on the way arrives now, when nobody waits for it any more.
            let _ = self.inner.exchange(old).await;
        }
        answer
    }

    async fn misbehave(&self, request: Request) -> Result<Response, TransportError> {
        match self.draw() {
            Fault::Fine => self.pass(request).await,
            Fault::Unreachable => Err(TransportError::Offline),
            Fault::LostAnswer => {
                let _ = self.pass(request).await;
                Err(TransportError::Timeout)
            }
            Fault::Doubled => {
                let _ = self.pass(request.clone()).await;
                self.pass(request).await
            }
            Fault::Replayed => {
                let answer = self.pass(request.clone()).await;
                self.state().replay = Some(request);
                answer
            }
            Fault::Cut => {
                let mut answer = self.pass(request).await?;
                let at = self.state().rng.usize(..answer.body.len().max(1));
                answer.body.truncate(at);
                Ok(answer)
            }
            Fault::Portal => Ok(page(200, None, "<html><body>Welcome. Please sign in.</body></html>")),
            Fault::Refused { status, retry_after_s } => Ok(page(status, retry_after_s, "")),
            Fault::Late { ms } => {
                let answer = self.pass(request).await;
                wait(ms).await;
                answer
            }
        }
    }
}

impl Transport for FaultyTransport {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        Box::pin(self.misbehave(request))
    }
}

impl std::fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyTransport")
    }
}

fn page(status: u16, retry_after_s: Option<u64>, html: &'static str) -> Response {
    let mut headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    headers.extend(retry_after_s.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
    Response { status, headers, body: Bytes::from_static(html.as_bytes()) }
}

#[expect(clippy::disallowed_methods, reason = "a late answer is late")]
async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
