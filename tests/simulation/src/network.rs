//! What is between devices and server: packets that somebody else decides about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use turnstone::transport::{Exchange, Request, Response, Transport, TransportError};

/// How long a device waits for an answer, in virtual milliseconds.
pub const PATIENCE_MS: u64 = 30_000;

/// What comes of a request.
type Answer = Result<Response, TransportError>;

/// Where an answer goes.
pub struct Reply {
    /// The handle that asked: a device may have had more than one.
    pub handle: u64,
    way: oneshot::Sender<Answer>,
}

impl Reply {
    /// Whether nobody waits any more.
    pub fn is_closed(&self) -> bool {
        self.way.is_closed()
    }

    /// Answers. Says whether somebody waited.
    pub fn send(self, answer: Answer) -> bool {
        self.way.send(answer).is_ok()
    }
}

const PATHS: [&str; 3] = ["/sync/v1/hello", "/sync/v1/push", "/sync/v1/pull"];

/// What the server asks to be left alone for, and which paths, in answer to a request: of all, when it does not even greet.
fn asked_for(path: &str, response: &Response) -> Option<(Duration, Vec<&'static str>)> {
    let (_, wait) = response.headers.iter().find(|(name, _)| name == "retry-after")?;
    let paths = PATHS.into_iter().filter(|asked| path == PATHS[0] || path == *asked).collect();
    Some((Duration::from_secs(wait.parse().ok()?), paths))
}

/// Something under way.
pub enum Packet {
    /// To the server. A doubled one has nobody who waits.
    Up {
        /// Who sent it.
        device: usize,
        /// In which life of its file.
        line: usize,
        /// What it says.
        request: Request,
        /// Who waits for the answer.
        reply: Option<Reply>,
        /// Whether all of it arrives.
        whole: bool,
    },
    /// Back to the device.
    Down {
        /// For whom.
        device: usize,
        /// What it says.
        response: Response,
        /// Who waits for it.
        reply: Reply,
        /// The server's history when it was said.
        history: usize,
    },
}

impl Packet {
    /// Whose it is.
    pub fn device(&self) -> usize {
        match self {
            Self::Up { device, .. } | Self::Down { device, .. } => *device,
        }
    }

    /// Whether it brings what a device wrote.
    pub fn is_push(&self) -> bool {
        matches!(self, Self::Up { request, .. } if request.path.starts_with("/sync/v1/push"))
    }

    /// Whether it brings what became of that.
    pub fn holds_verdicts(&self) -> bool {
        matches!(self, Self::Down { response, .. } if response.body.windows(10).any(|part| part == b"\"verdicts\""))
    }
}

/// Everything under way.
#[derive(Default)]
pub struct Network {
    /// In the order it was sent.
    pub packets: Vec<Packet>,
    /// Those who wait for what was lost: they find out by waiting.
    pub lost: Vec<Reply>,
    /// Which life of its file each device is in, where it is not the first.
    pub lines: BTreeMap<usize, usize>,
    /// Which devices have no network: new requests fail at once.
    pub cut: Vec<bool>,
    /// What swallows packets of a device, those under way too, and tells nobody.
    pub holes: BTreeMap<usize, Hole>,
    /// How many handles were opened.
    handles: u64,
    /// Until when handles of devices were asked to leave paths alone (`Retry-After`).
    patience: BTreeMap<(usize, u64, String), Instant>,
    /// Which devices did not.
    pub hasty: Vec<(usize, String)>,
}

/// Which way packets vanish.
#[derive(Debug, Clone, Copy)]
pub struct Hole {
    /// Requests.
    pub up: bool,
    /// Answers.
    pub down: bool,
}

impl Network {
    /// A device forgets what it was asked.
    pub fn forgives(&mut self, device: usize) {
        self.patience.retain(|(asked, ..), _| *asked != device);
    }

    /// A handle makes a request: not before it may.
    fn comes_back(&mut self, device: usize, handle: u64, path: &str) {
        // Clocks that are read in whole milliseconds.
        let is_early = |until: &Instant| now() + Duration::from_millis(1) < *until;
        if self.patience.remove(&(device, handle, path.to_owned())).as_ref().is_some_and(is_early) {
            self.hasty.push((device, path.to_owned()));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of a simulated device")]
fn now() -> Instant {
    Instant::now()
}

/// The network, shared with the transports.
#[derive(Clone, Default)]
pub struct Net(Arc<Mutex<Network>>);

impl Net {
    /// Looks at it.
    pub fn get(&self) -> MutexGuard<'_, Network> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many packets are under way.
    pub fn len(&self) -> usize {
        self.get().packets.len()
    }

    /// Whether somebody still waits for what was lost.
    pub fn awaits_lost(&self) -> bool {
        self.get().lost.iter().any(|reply| !reply.is_closed())
    }

    /// Whether a packet vanishes now, wherever it is under way.
    pub fn swallows(&self, packet: &Packet) -> bool {
        let network = self.get();
        network.holes.get(&packet.device()).is_some_and(|hole| match packet {
            Packet::Up { .. } => hole.up,
            Packet::Down { .. } => hole.down,
        })
    }

    /// Takes a packet out.
    pub fn take(&self, at: usize) -> Packet {
        self.get().packets.remove(at)
    }

    /// Puts one in.
    pub fn put(&self, packet: Packet) {
        self.get().packets.push(packet);
    }
}

/// The way of a device's handle into the network.
pub struct Link {
    net: Net,
    device: usize,
    handle: u64,
}

impl Link {
    /// Makes one.
    pub fn new(net: &Net, device: usize) -> Self {
        let mut network = net.get();
        network.handles += 1;
        Self { net: net.clone(), device, handle: network.handles }
    }
}

impl Transport for Link {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        let (net, device, handle) = (self.net.clone(), self.device, self.handle);
        Box::pin(async move {
            if net.get().cut.get(device).copied().unwrap_or(false) {
                return Err(TransportError::Offline);
            }
            let path = request.path.split('?').next().unwrap_or_default().to_owned();
            net.get().comes_back(device, handle, &path);
            let (way, answer) = oneshot::channel();
            let line = net.get().lines.get(&device).copied().unwrap_or(0);
            net.put(Packet::Up { device, line, request, reply: Some(Reply { handle, way }), whole: true });
            match tokio::time::timeout(Duration::from_millis(PATIENCE_MS), answer).await {
                Ok(Ok(result)) => {
                    if let Some((wait, paths)) = result.as_ref().ok().and_then(|response| asked_for(&path, response)) {
                        let until = now() + wait;
                        let paths = paths.into_iter().map(|path| ((device, handle, path.to_owned()), until));
                        net.get().patience.extend(paths);
                    }
                    result
                }
                Ok(Err(_)) => Err(TransportError::Broken),
                Err(_) => Err(TransportError::Timeout),
            }
        })
    }
}
