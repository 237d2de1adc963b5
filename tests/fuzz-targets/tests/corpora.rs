//! Replays every committed input of the fuzzer. Holds I-21, I-28, I-58 and I-62 for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use turnstone_fuzz_targets::TARGETS;

fn inputs(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no corpus of {name}"));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Panics so far, in any thread: also those that somebody catches, as libraries do in their callbacks.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            tell(info);
        }));
    });
}

fn replay(name: &str) {
    count_panics();
    let target = TARGETS.iter().find(|(known, _)| *known == name).unwrap().1;
    let inputs = inputs(name);
    assert!(inputs.len() >= 8, "{name} has only {} inputs", inputs.len());
    for input in inputs {
        println!("{name}: {}", input.display());
        target(&std::fs::read(&input).unwrap());
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a panic was caught");
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
