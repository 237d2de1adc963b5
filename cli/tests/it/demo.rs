//! The demo itself: everything equal at the end, nothing lost, told as text and as JSON.

use crate::common::turnstone;

#[test]
fn a_bad_network_and_two_crashes_end_in_equality() {
    let ran = turnstone(&["--json", "demo", "--generated", "--commits", "240", "--burst", "40", "--seed", "3"]);
    let report = ran.json();
    assert_eq!((report["ok"].as_bool(), report["equal"].as_bool()), (Some(true), Some(true)));
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 5);
    for device in devices {
        assert_eq!(device["state"], report["server"], "I-27: {device}");
        assert_eq!((device["pending"].as_u64(), device["dead_letters"].as_u64()), (Some(0), Some(0)));
        assert!(device["groups_written"].as_u64() > Some(0) && device["bytes_up"].as_u64() > Some(0), "{device}");
    }
    assert!(devices.iter().any(|device| device["merged"].as_u64() > Some(0)), "devices met");
    assert_eq!((report["server_crashes"].as_u64(), report["device_crashes"].as_u64()), (Some(1), Some(1)));
    assert!(report["link"]["cut_after_commit"].as_u64() > Some(0), "the network was bad: {}", report["link"]);
    let checks = &report["checks"];
    assert!(checks["side_by_side"].as_u64() > Some(0) && checks["overlaps"].as_u64() > Some(0), "{checks}");
}

#[test]
fn a_reader_is_told_a_story_that_ends_with_a_verdict() {
    let ran = turnstone(&["demo", "--generated", "--commits", "60", "--burst", "30", "--calm"]);
    assert_eq!(ran.exit, 0, "{} {}", ran.out, ran.err);
    for heading in [
        "1. The cast",
        "2. Offline",
        "3. The network",
        "4. The devices",
        "5. Where devices met",
        "6. What must be true",
    ] {
        assert!(ran.out.contains(heading), "{heading} is missing in:\n{}", ran.out);
    }
    let last = ran.out.lines().last().unwrap();
    assert!(last.starts_with("EQUAL: 5 devices and the server hold the same"), "{last}");
}
