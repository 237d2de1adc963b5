//! Tests that need a process of their own: others beside them would step on what they plant, count or listen to.

use std::process::Command;

/// Names the test that the process is for.
const ALONE: &str = "TURNSTONE_ALONE";

/// Whether this process is the one for that test. Where it is not, it starts one, waits for it, and fails as it does:
/// there is nothing left to do here.
pub(super) fn is_alone(test: &str) -> bool {
    if std::env::var(ALONE).is_ok_and(|alone| alone == test) {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", test, "--nocapture"]).env(ALONE, test).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
    false
}
