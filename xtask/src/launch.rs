//! Starts programs, keeps what they print, and ends those that hang.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How a program ended.
pub(crate) struct Finished {
    /// Standard output and error together, in the order they came.
    pub(crate) output: String,
    pub(crate) success: bool,
    /// Whether it was ended because it took longer than allowed.
    pub(crate) timed_out: bool,
}

/// Runs a program to its end, with its output kept. It is killed after `limit`.
#[expect(clippy::disallowed_methods, reason = "the limit on a hanging program is real time")]
pub(crate) fn run(command: &mut Command, limit: Duration) -> std::io::Result<Finished> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = spawn_in_own_group(command)?;
    // The command still holds the writing ends: with them open, the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let pieces = read_aside(reader);
    let started = Instant::now();
    let (mut output, mut timed_out) = (Vec::new(), false);
    loop {
        match pieces.recv_timeout(Duration::from_secs(1)) {
            Ok(piece) => output.extend_from_slice(&piece),
            Err(RecvTimeoutError::Disconnected) => break,
            // A grandchild that outlives the program holds the pipe open.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if started.elapsed() > limit {
            kill_group(&mut child);
            timed_out = true;
            break;
        }
    }
    let success = child.wait()?.success() && !timed_out;
    Ok(Finished { output: String::from_utf8_lossy(&output).into_owned(), success, timed_out })
}

/// Runs a program whose output the person sees as it comes.
pub(crate) fn run_shown(command: &mut Command) -> std::io::Result<bool> {
    Ok(command.stdin(Stdio::null()).status()?.success())
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "a thread is the only portable way to read while waiting with a limit")]
fn read_aside(mut reader: std::io::PipeReader) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(n @ 1..) = reader.read(&mut piece) {
            if sender.send(piece.get(..n).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

#[cfg(unix)]
fn spawn_in_own_group(command: &mut Command) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    command.process_group(0).spawn()
}

#[cfg(not(unix))]
fn spawn_in_own_group(command: &mut Command) -> std::io::Result<Child> {
    command.spawn()
}

fn kill_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    let group_killed = cfg!(unix) && exists("kill", &["-9", "--", &group]);
    if !group_killed {
        // It may have ended by itself in this moment, which is as good.
        drop(child.kill());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn keeps_both_outputs_and_the_status() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let finished = run(&mut command, Duration::from_secs(20)).unwrap();
        assert_eq!(finished.output, "one\ntwo\n");
        assert!(!finished.success && !finished.timed_out);
    }

    #[test]
    fn ends_what_hangs() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo begun; sleep 600"]);
        // Long enough for a busy machine to begin it.
        let finished = run(&mut command, Duration::from_secs(2)).unwrap();
        assert!(finished.timed_out && !finished.success);
        assert_eq!(finished.output, "begun\n");
    }
}
