//! The golden files, through the functions that Kotlin and Swift call.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::testing::{replay_trace, replay_vector};

fn files(folder: &str) -> Vec<(String, Json)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
    };
    files.map(read).collect()
}

#[test]
fn every_golden_vector_gives_what_it_says() {
    let mut cases = 0;
    for (file, root) in files("protocol/vectors") {
        let schema = root["schema"].as_str().map(str::to_owned);
        for (list, all) in root.as_object().unwrap() {
            for case in all.as_array().into_iter().flatten() {
                let got = replay_vector(file.clone(), list.clone(), schema.clone(), case.to_string()).unwrap();
                assert_eq!(serde_json::from_str::<Json>(&got).unwrap(), case["expect"], "{file}: {}", case["name"]);
                cases += 1;
            }
        }
    }
    assert!(cases >= 200, "the files are read: {cases}");
}

#[test]
fn every_scheduler_trace_is_decided_the_same() {
    let traces = files("engine/traces");
    assert!(traces.len() >= 12, "the files are read: {}", traces.len());
    for (name, trace) in traces {
        let got = replay_trace(trace.to_string()).unwrap();
        assert_eq!(serde_json::from_str::<Json>(&got).unwrap(), trace, "{name}");
    }
}
