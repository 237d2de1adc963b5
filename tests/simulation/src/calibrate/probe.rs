//! A process that runs seed after seed with a bug planted, and how long it may take for one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A seed that takes more of the processor than this runs for ever: fifty times what one needs.
const BUSY_MS_MAX: u64 = 5_000;
/// Where the system does not say how much it took, or it waits for something: so long on the clock.
const PATIENCE_S: u64 = 120;

/// What became of a seed.
pub(super) enum Seen {
    Nothing,
    /// This promise.
    Broken(String),
    RunsForEver,
    Died,
}

/// The process, ended when it is dropped.
pub(super) struct Probe {
    child: Child,
    lines: Receiver<String>,
    busy_ms: u64,
}

impl Probe {
    #[expect(clippy::disallowed_methods, reason = "a reader beside the process it watches")]
    pub(super) fn start(bug: &str, from: u64, steps: usize) -> Option<Self> {
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args(["probe", "--from", &from.to_string(), "--steps", &steps.to_string()]);
        if !bug.is_empty() {
            command.args(["--bug", bug]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let output = child.stdout.take()?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, lines, busy_ms: 0 })
    }

    /// Waits for the next seed. After [`Seen::RunsForEver`] and [`Seen::Died`] there is none.
    pub(super) fn next_seed(&mut self) -> Seen {
        for _ in 0..PATIENCE_S {
            match self.lines.recv_timeout(Duration::from_secs(1)) {
                Ok(line) => {
                    self.busy_ms = busy_ms(self.child.id()).unwrap_or(self.busy_ms);
                    return line.split_once(' ').map_or(Seen::Nothing, |(_, seen)| Seen::Broken(seen.to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let busy_ms = busy_ms(self.child.id()).unwrap_or(0);
                    if busy_ms.saturating_sub(self.busy_ms) > BUSY_MS_MAX {
                        return Seen::RunsForEver;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Seen::Died,
            }
        }
        Seen::RunsForEver
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a process has been on a processor; `None` where `/proc` does not say. Linux counts in hundredths.
fn busy_ms(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second member is a name in brackets, which may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> = rest.split_whitespace().skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    (ticks.len() == 2).then(|| 10 * ticks.iter().sum::<u64>())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_process_that_works_is_busy() {
        let before = super::busy_ms(std::process::id()).expect("/proc says so");
        let mut sum = 0u64;
        while super::busy_ms(std::process::id()).expect("/proc says so") < before + 30 {
            sum = std::hint::black_box((0..100_000).fold(sum, u64::wrapping_add));
        }
    }
}
