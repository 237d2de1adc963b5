//! A device in the midst of its syncing, whose file is then damaged: what it pulled, what was decided, what is sealed and
//! under way, what was written since.

use std::sync::{Arc, OnceLock};

use turnstone::{Error, Store};
use turnstone_crash_tests::link::Slot;
use turnstone_crash_tests::scenario::World;
use turnstone_crash_tests::scenarios::server as honest;
use turnstone_crash_tests::time::Time;
use turnstone_vfs::{DiskImage, Mount};

use crate::evil::start::{self, NOW_MS};

thread_local! {
    static WORLD: World = World::new(2);
}

/// Damages the device's disk, opens what is there and syncs it with its server; then `then` uses it. Gives what was said.
pub(crate) fn damaged(damage: impl FnOnce(&mut DiskImage), then: impl FnOnce(&Store)) -> Result<(), Error> {
    WORLD.with(|world| {
        let [device, server] = images();
        let mut device = device.clone();
        damage(&mut device);
        world.load([&device, server]);
        let [device, server] = &world.machines[..] else { panic!("two machines") };
        let (time, slot) = (Time::new(NOW_MS + 60_000).expect("a time"), Slot::default());
        slot.set_now_ms(NOW_MS + 60_000);
        slot.set(Some(Arc::new(honest::open(server, honest::SCHEMA).expect("the server opens"))));
        let _inside = time.enter();
        let store = open(device, &time, &slot, 4)?;
        let synced = time.sync(&store).expect("a sync ends");
        then(&store);
        let _ = store.close();
        time.settle();
        synced.map(drop)
    })
}

fn open(device: &Mount, time: &Time, slot: &Slot, life: u64) -> Result<Store, Error> {
    start::open(device, time, life, Some(slot.transport(honest::who())))
}

/// The disks of the device, which was killed, and of the server.
fn images() -> &'static [DiskImage; 2] {
    static IMAGES: OnceLock<[DiskImage; 2]> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let world = World::new(2);
        world.load(&start::start().disks);
        let [device, server] = &world.machines[..] else { panic!("two machines") };
        let (time, slot) = (Time::new(NOW_MS).expect("a time"), Slot::default());
        slot.set_now_ms(NOW_MS);
        let service = Arc::new(honest::open(server, honest::SCHEMA).expect("the server opens"));
        slot.set(Some(Arc::clone(&service)));
        let _inside = time.enter();
        let store = open(device, &time, &slot, 3).expect("the store opens");
        time.sync(&store).expect("a sync ends").expect("it syncs");
        let write = |id: &'static str| {
            store.write(move |tx| {
                tx.upsert("notes", id, [("title", id)])?;
                tx.increment("notes", "a", "views", 5)
            })
        };
        write("under way").expect("a write");
        // What is to be sent is sealed before it is known that nobody answers.
        slot.set(None);
        let _ = time.sync(&store).expect("a sync ends");
        write("since").expect("a write");
        store.execute("DELETE FROM notes WHERE id = 'own1'", &[]).expect("a delete");
        [device.disk().snapshot(), server.disk().snapshot()]
    })
}

#[cfg(test)]
mod tests {
    use turnstone::testing::inspect;

    use super::*;

    /// Without damage it is what it says it is, and goes on.
    #[test]
    fn the_device_is_in_the_midst_of_syncing() {
        let mut seen = None;
        let synced = damaged(|_| {}, |store| seen = Some((inspect::faults(store), store.status())));
        let (faults, status) = seen.unwrap();
        assert_eq!(faults.unwrap(), Vec::<String>::new());
        assert_eq!((synced.map_err(|error| error.code().to_owned()), status.unwrap().pending_groups), (Ok(()), 0));
    }
}
