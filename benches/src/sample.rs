//! One measurement: what a child process reports about one run of one side.

use serde::{Deserialize, Serialize};

use crate::Result;

/// What one run of one side cost.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// How many of the thing measured.
    pub(crate) ops: u64,
    pub(crate) wall_ns: u64,
    /// All threads of the process.
    pub(crate) cpu_ns: u64,
    /// Half of the calls took at most this long, where calls were timed singly.
    pub(crate) p50_ns: Option<u64>,
    pub(crate) p99_ns: Option<u64>,
    /// Most memory held at once, above what the process held when the work began.
    pub(crate) peak_bytes: Option<u64>,
    /// Bytes that crossed the wire, both ways.
    pub(crate) wire_bytes: Option<u64>,
    pub(crate) requests: Option<u64>,
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        self.ops as f64 / (self.wall_ns.max(1) as f64 / 1e9)
    }

    pub(crate) fn cpu_us_per_op(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.ops.max(1) as f64
    }
}

/// Measures one piece of work.
pub(crate) struct Meter {
    started: Stopwatch,
    cpu_ns: u64,
    held_bytes: Option<u64>,
    calls_ns: Vec<u64>,
    /// Wall and processor time of work that does not count.
    aside_ns: (u64, u64),
}

impl Meter {
    /// Starts measuring; `calls` is how many single calls will be timed.
    pub(crate) fn start(calls: usize) -> Self {
        let calls_ns = Vec::with_capacity(calls);
        let held_bytes = forget_peak();
        Self { cpu_ns: cpu_ns(), held_bytes, calls_ns, aside_ns: (0, 0), started: Stopwatch::start() }
    }

    /// Runs one call and keeps how long it took.
    pub(crate) fn call<T>(&mut self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Stopwatch::start();
        let result = call();
        self.calls_ns.push(started.ns());
        result
    }

    /// Runs work between calls that does not count, such as what another device does meanwhile.
    pub(crate) fn aside<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (started, cpu) = (Stopwatch::start(), cpu_ns());
        let result = work();
        self.aside_ns.0 += started.ns();
        self.aside_ns.1 += cpu_ns().saturating_sub(cpu);
        result
    }

    /// Adds calls that other threads timed.
    pub(crate) fn add_calls(&mut self, calls_ns: Vec<u64>) {
        self.calls_ns.extend(calls_ns);
    }

    /// The single calls timed so far.
    pub(crate) fn into_calls(self) -> Vec<u64> {
        self.calls_ns
    }

    pub(crate) fn finish(mut self, ops: usize) -> Sample {
        let wall_ns = self.started.ns().saturating_sub(self.aside_ns.0);
        let cpu_ns = cpu_ns().saturating_sub(self.cpu_ns + self.aside_ns.1);
        let peak_bytes = status_bytes("VmHWM:").zip(self.held_bytes).map(|(peak, held)| peak.saturating_sub(held));
        self.calls_ns.sort_unstable();
        let percentile = |share: f64| {
            let last = self.calls_ns.len().checked_sub(1)?;
            self.calls_ns.get((last as f64 * share).round() as usize).copied()
        };
        Sample {
            ops: ops as u64,
            wall_ns,
            cpu_ns,
            p50_ns: percentile(0.50),
            p99_ns: percentile(0.99),
            peak_bytes,
            wire_bytes: None,
            requests: None,
        }
    }
}

/// Times one call where a [`Meter`] is not at hand.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn ns(&self) -> u64 {
        as_ns(self.0.elapsed())
    }
}

/// Nanoseconds of a duration; benchmarks end long before they overflow.
fn as_ns(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Processor time of all threads of this process so far.
pub(crate) fn cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Makes the kernel forget the peak so far and returns what is held now. Only Linux can.
fn forget_peak() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    status_bytes("VmRSS:")
}

fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}
