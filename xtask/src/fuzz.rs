//! The fuzzer's workspace is not built by the gate; that its lock file fits what it depends on is checked.

use std::path::Path;
use std::process::Stdio;

use crate::build;
use crate::tally::Tally;

const NAME: &str = "fuzz/Cargo.lock is current";

/// What became of looking at a lock file.
#[derive(Debug, PartialEq)]
enum Lock {
    Current,
    Old,
    /// Nobody can tell: it says why.
    Unknown(String),
}

/// Asks cargo, without the network where that is enough.
pub(crate) fn lock_is_current(root: &Path) -> Tally {
    let folder = root.join("fuzz");
    let mut lock = look(&folder, &["--offline"]);
    if lock != Lock::Current {
        lock = look(&folder, &[]);
    }
    let mut tally = Tally::default();
    match lock {
        Lock::Current => tally.pass(NAME),
        Lock::Old => tally.fail_saying(NAME.to_owned(), "run `cargo metadata` in fuzz/ and commit its Cargo.lock"),
        Lock::Unknown(why) => tally.skip(NAME, &why),
    }
    tally
}

fn look(folder: &Path, more: &[&str]) -> Lock {
    let mut command = build::cargo(folder);
    command.args(["metadata", "--locked", "--format-version", "1"]).args(more);
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Lock::Current,
        Ok(output) => verdict(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => Lock::Unknown(format!("cargo does not start: {error}")),
    }
}

fn verdict(said: &str) -> Lock {
    if said.contains("--locked was passed") || said.contains("--locked` was passed") {
        return Lock::Old;
    }
    Lock::Unknown(said.lines().find(|line| line.starts_with("error")).unwrap_or("cargo metadata failed").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_lock_is_told_from_a_missing_network() {
        let old = "error: cannot update the lock file /r/fuzz/Cargo.lock because --locked was passed to prevent this\n";
        assert_eq!(verdict(old), Lock::Old);
        let offline = "    Updating index\nerror: failed to download from the registry\n";
        assert_eq!(verdict(offline), Lock::Unknown("error: failed to download from the registry".to_owned()));
    }
}
