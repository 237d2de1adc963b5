//! Whether the account of an evil server is worth anything: with a bug planted that lets a group go without its last
//! word, some committed input must fail (I-62).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use turnstone_fuzz_targets::TARGETS;
use turnstone_protocol::plant::{Bug, set};

#[test]
fn i_62_a_device_that_lets_a_group_go_is_found_out() {
    let target = TARGETS.iter().find(|(name, _)| *name == "evil_server").unwrap().1;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/evil_server");
    let inputs = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let inputs: Vec<Vec<u8>> = inputs.collect();
    for bug in [Bug::UnheardIsDone, Bug::StatusMiscounts] {
        set(Some(bug));
        let failed = inputs.iter().filter(|input| catch_unwind(AssertUnwindSafe(|| target(input))).is_err()).count();
        set(None);
        println!("{bug:?}: {failed} of {} inputs fail", inputs.len());
        assert!(failed > 0, "{bug:?} is not found");
    }
}
