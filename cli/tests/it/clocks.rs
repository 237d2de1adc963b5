//! A wrong clock never beats an edit that saw it, nor one made after it arrived (N12, I-30, I-31).

use std::time::{Duration, Instant};

use crate::common::{Device, Server, token};
use tempfile::{TempDir, tempdir};

struct World {
    _folder: TempDir,
    _server: Server,
    wrong: Device,
    right: Device,
    id: String,
}

impl World {
    /// A note that both devices hold; the clock of one is off by `offset`.
    fn new(offset: &str) -> Self {
        let folder = tempdir().unwrap();
        let server = Server::start(folder.path());
        let token = token("t");
        let wrong =
            Device::with_server(folder.path(), "wrong.db", &server.url, &token).and(&["--clock-offset", offset]);
        let right = Device::with_server(folder.path(), "right.db", &server.url, &token);
        let id = wrong.run(&["notes", "add", "first"]).json()["id"].as_str().unwrap().to_owned();
        let world = Self { _folder: folder, _server: server, wrong, right, id };
        world.sync(&world.wrong);
        world.sync(&world.right);
        world
    }

    fn edit(&self, device: &Device, title: &str) {
        device.run(&["notes", "edit", &self.id, "--title", title]).json();
    }

    fn sync(&self, device: &Device) {
        device.run(&["sync"]).json();
    }

    /// Both meet the server once more. Returns the longest that took: a device knows the server's time only to within the
    /// length of its last contact.
    fn meet(&self) -> Duration {
        let took = |device: &Device| {
            let begun = Instant::now();
            self.sync(device);
            begun.elapsed()
        };
        took(&self.wrong).max(took(&self.right))
    }

    fn title(&self, device: &Device) -> String {
        device.run(&["notes", "show", &self.id, "--peek"]).json()["title"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn everywhere(&self, title: &str) {
        for _ in 0..2 {
            self.sync(&self.wrong);
            self.sync(&self.right);
        }
        assert_eq!(self.title(&self.wrong), title, "on the device with the wrong clock");
        assert_eq!(self.title(&self.right), title, "on the device with the right clock");
    }
}

/// 2030 and 1970 and worse, from any year this runs in.
const OFFSETS: [&str; 5] = ["+5y", "+400y", "-3d", "-30y", "-56y"];

#[test]
fn an_edit_that_saw_the_wrong_clocks_edit_beats_it() {
    for offset in OFFSETS {
        let world = World::new(offset);
        world.edit(&world.wrong, "from the wrong clock");
        world.sync(&world.wrong);
        world.sync(&world.right);
        assert_eq!(world.title(&world.right), "from the wrong clock", "{offset}");
        world.edit(&world.right, "seen and changed");
        world.everywhere("seen and changed");
    }
}

#[test]
fn an_edit_made_after_the_wrong_clocks_edit_arrived_beats_it_unseen() {
    for offset in OFFSETS {
        let world = World::new(offset);
        world.edit(&world.wrong, "from the wrong clock");
        world.sync(&world.wrong);
        world.edit(&world.right, "made later, unseen");
        world.everywhere("made later, unseen");
    }
}

#[test]
fn the_device_with_the_wrong_clock_is_not_out_ranked_for_ever() {
    for offset in OFFSETS {
        let world = World::new(offset);
        world.edit(&world.right, "from the right clock");
        world.sync(&world.right);
        // Made later and unseen: the age of the edit counts, not the wall clock.
        world.edit(&world.wrong, "made later, unseen");
        assert_eq!(world.title(&world.wrong), "made later, unseen", "I-08: what was written is shown");
        world.everywhere("made later, unseen");
        world.edit(&world.wrong, "once more");
        world.everywhere("once more");
    }
}

#[test]
fn an_old_edit_that_arrives_late_does_not_beat_a_newer_one() {
    for offset in OFFSETS {
        let world = World::new(offset);
        let blurred = world.meet();
        world.edit(&world.wrong, "older");
        std::thread::sleep(blurred);
        world.edit(&world.right, "newer");
        world.sync(&world.right);
        // Only now does the older one arrive; both devices know their edits' age from the last contact in this boot.
        world.everywhere("newer");
    }
}

#[test]
fn two_edits_of_one_device_keep_their_order_when_its_clock_jumps_back() {
    let world = World::new("0s");
    world.edit(&world.wrong, "one");
    let jumped = Device { db: world.wrong.db.clone(), more: world.wrong.more.clone() }.and(&[]);
    let jumped = Device {
        db: jumped.db,
        more: jumped.more.into_iter().map(|arg| if arg == "0s" { "-10y".to_owned() } else { arg }).collect(),
    };
    jumped.run(&["notes", "edit", &world.id, "--title", "two"]).json();
    world.everywhere("two");
}
