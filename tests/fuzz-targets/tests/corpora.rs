//! Replays every committed input of the fuzzer. Holds I-21, I-28, I-58 and I-62 for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

use turnstone_fuzz_targets::TARGETS;

fn inputs(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no corpus of {name}"));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|(known, _)| *known == name).unwrap().1;
    let inputs = inputs(name);
    assert!(inputs.len() >= 8, "{name} has only {} inputs", inputs.len());
    for input in inputs {
        println!("{name}: {}", input.display());
        target(&std::fs::read(&input).unwrap());
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed() {
            let names = [$(stringify!($name)),*];
            assert_eq!(TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
        }
    };
}

replays!(wire_request wire_answer cursor body op schema merge database evil_server);
