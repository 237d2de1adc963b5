//! Hundreds of schedules of the shipped seat, and each planted bug found within as many.

use std::panic::catch_unwind;

use turnstone_handoff_tests::{
    as_it_is, forgets_waiting, gives_silently, goes_on, leaves_blindly, leaves_unseen, queues_late, waits_first,
};

/// Schedules by chance, and as many with few preemptions at chosen points.
const SCHEDULES: usize = 400;

fn holds(world: fn()) -> bool {
    let random = catch_unwind(|| shuttle::check_random(world, SCHEDULES)).is_ok();
    random && catch_unwind(|| shuttle::check_pct(world, SCHEDULES, 3)).is_ok()
}

#[test]
fn the_seat_loses_no_wake_up_and_no_write() {
    shuttle::check_random(as_it_is::World::run, SCHEDULES);
    shuttle::check_pct(as_it_is::World::run, SCHEDULES, 3);
}

#[test]
fn a_lost_wake_up_is_found() {
    for (name, world) in [
        ("queues_late", queues_late::World::run as fn()),
        ("leaves_blindly", leaves_blindly::World::run),
        ("waits_first", waits_first::World::run),
        ("gives_silently", gives_silently::World::run),
    ] {
        assert!(!holds(world), "{name} is not found");
    }
}

/// I-49 within one process: a suspension waits for whoever writes, and nobody writes before the seat admits again.
#[test]
fn a_suspension_takes_the_writer_out_and_loses_nobody() {
    shuttle::check_random(as_it_is::World::run_suspended, SCHEDULES);
    shuttle::check_pct(as_it_is::World::run_suspended, SCHEDULES, 3);
}

#[test]
fn a_suspension_that_goes_wrong_is_found() {
    for (name, world) in [
        ("leaves_unseen", leaves_unseen::World::run_suspended as fn()),
        ("forgets_waiting", forgets_waiting::World::run_suspended),
        ("goes_on", goes_on::World::run_suspended),
    ] {
        assert!(!holds(world), "{name} is not found");
    }
}
