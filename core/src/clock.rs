//! The only place of the client that reads clocks and draws random bits. Everywhere else they are arguments.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use turnstone_engine::oplog::Moment;

use crate::error::Error;

/// The clocks of a device. Cheap to clone; clones of a manual clock move together.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    offset_ms: i64,
}

#[derive(Clone)]
enum Source {
    System(Arc<Boot>),
    Manual(Arc<AtomicU64>),
    Virtual(Arc<dyn Fn() -> Moment + Send + Sync>),
}

/// This boot of the device.
struct Boot {
    id: [u8; 16],
    #[cfg_attr(any(target_os = "linux", target_os = "android", target_vendor = "apple"), allow(dead_code))]
    started: std::time::Instant,
}

/// The clock that goes on while the device sleeps. `Instant` stands still meanwhile: a wait that began before a night in a
/// pocket would not be over after it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const COUNTS_SLEEP: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// On Darwin that is `CLOCK_MONOTONIC` (its manual, clock_gettime(3), says so); what stands still is `CLOCK_UPTIME_RAW`.
#[cfg(target_vendor = "apple")]
const COUNTS_SLEEP: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

impl Clock {
    /// The clocks of the system.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System(Arc::new(Boot::present())), offset_ms: 0 }
    }

    /// A clock that stands still until it is moved: wall and boot clock both read `wall_ms` then.
    #[must_use]
    pub fn manual(wall_ms: u64) -> Self {
        Self { source: Source::Manual(Arc::new(AtomicU64::new(wall_ms))), offset_ms: 0 }
    }

    /// Clocks of a simulation's own.
    #[doc(hidden)]
    #[must_use]
    pub fn virtual_time(read: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self { source: Source::Virtual(Arc::new(read)), offset_ms: 0 }
    }

    /// The same clocks with the wall clock wrong by so many milliseconds.
    #[must_use]
    pub fn offset_ms(mut self, offset_ms: i64) -> Self {
        self.offset_ms = offset_ms;
        self
    }

    /// Moves a manual clock on. Does nothing to the clocks of the system.
    pub fn advance_ms(&self, ms: u64) {
        if let Source::Manual(at) = &self.source {
            at.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Reads all clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        let (wall_ms, boot_id, boot_ms) = match &self.source {
            Source::System(boot) => (wall_ms(), boot.id, boot.elapsed_ms()),
            Source::Manual(at) => {
                let ms = at.load(Ordering::SeqCst);
                (ms, [0; 16], ms)
            }
            Source::Virtual(read) => {
                let Moment { wall_ms, boot_id, boot_ms } = read();
                (wall_ms, boot_id, boot_ms)
            }
        };
        Moment { wall_ms: wall_ms.saturating_add_signed(self.offset_ms), boot_id, boot_ms }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("offset_ms", &self.offset_ms).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the wall clock of the client is read here and nowhere else")]
fn wall_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

impl Boot {
    /// Names this boot. Where the system does not tell which boot it is, each process counts as one:
    /// ages across processes are then approximate, never wrong.
    #[expect(clippy::disallowed_methods, reason = "the boot clock of the client starts here and nowhere else")]
    fn present() -> Self {
        Self { id: boot_id(), started: std::time::Instant::now() }
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    #[allow(clippy::unused_self)]
    fn elapsed_ms(&self) -> u64 {
        let now = rustix::time::clock_gettime(COUNTS_SLEEP);
        let ms = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
        u64::try_from(ms).unwrap_or(0)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn boot_id() -> [u8; 16] {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(text) = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        && let Ok(id) = text.trim().parse::<uuid::Uuid>()
    {
        return *id.as_bytes();
    }
    let mut id = [0; 16];
    // Without randomness the id stays zero: "some other boot", which is always safe.
    let _ = getrandom::fill(&mut id);
    id
}

/// Where random bits come from. Cheap to clone; clones draw from the same source.
#[derive(Clone)]
pub struct Entropy(Arc<Mutex<Draw>>);

enum Draw {
    System { buffer: Box<[u8; 1024]>, used: usize },
    Seeded(fastrand::Rng),
}

impl Entropy {
    /// The randomness of the operating system.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(Draw::System { buffer: Box::new([0; 1024]), used: 1024 })))
    }

    /// A repeatable source, for tests and simulations only: two devices must never share a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Draw::Seeded(fastrand::Rng::with_seed(seed)))))
    }

    /// 128 random bits.
    ///
    /// # Errors
    /// [`Error::NoEntropy`] if the operating system gives none.
    pub fn next(&self) -> Result<u128, Error> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Draw::Seeded(rng) => Ok(rng.u128(..)),
            Draw::System { buffer, used } => {
                if *used + 16 > buffer.len() {
                    getrandom::fill(buffer.as_mut_slice()).map_err(|_| Error::NoEntropy)?;
                    *used = 0;
                }
                let bits = buffer.get(*used..*used + 16).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
                *used += 16;
                bits.map(u128::from_be_bytes).ok_or(Error::NoEntropy)
            }
        }
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}
