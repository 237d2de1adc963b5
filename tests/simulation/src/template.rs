//! Databases in which nothing has happened yet, made once by the real code and copied for each world, so that worlds do
//! not spend their time making tables. Who a database is must differ from copy to copy: the ids that the real code drew
//! are replaced by ids of the world. One world in four still makes its databases itself.

use std::sync::OnceLock;

use turnstone::Entropy;
use turnstone_vfs::{Disk, DiskImage, Mount};

use crate::device::{Device, DeviceSetup};
use crate::network::Net;
use crate::server::{Server, ServerSetup};

/// The randomness the templates are made with.
const SEED: u64 = 0x7e3a_91c5_0d24_b68f;

/// Whether the databases of a seed are copied.
pub fn is_for(seed: u64) -> bool {
    !seed.is_multiple_of(4)
}

/// A database, and where its ids stand.
struct Template {
    file: &'static str,
    image: DiskImage,
    bytes: Vec<u8>,
    ids_at: Vec<usize>,
}

/// The disk of a new device. Draws its identity from its own randomness, as making the database would.
pub fn device(entropy: &Entropy) -> DiskImage {
    static MADE: OnceLock<Template> = OnceLock::new();
    let draw = |entropy: &Entropy| entropy.next().expect("seeded randomness does not end").to_be_bytes();
    let made = MADE.get_or_init(|| {
        let disk = Disk::new();
        let mount = Mount::new("sim-template-device", &disk);
        let setup = DeviceSetup {
            index: 0,
            vfs: mount.name().to_owned(),
            auto: false,
            entries_max: 1,
            rows_max: 1,
            poll_ms: None,
            seed: SEED,
        };
        let mut device = Device::new(setup, disk.clone(), &Net::default(), Server::test_key());
        assert!(device.start(0), "a device opens: {:?}", device.failed);
        device.quit();
        let drawn = Entropy::seeded(SEED);
        Template::of(&disk, "/app.db", &[draw(&drawn), draw(&drawn)])
    });
    made.copy(&[draw(entropy), draw(entropy)])
}

/// The disk of a new server.
pub fn server(random: [u8; 32]) -> DiskImage {
    static MADE: OnceLock<Template> = OnceLock::new();
    let inside = |random: &[u8; 32]| random.first_chunk::<16>().copied().unwrap_or_default();
    let made = MADE.get_or_init(|| {
        let disk = Disk::new();
        let mount = Mount::new("sim-template-server", &disk);
        let mut drawn = [0; 32];
        drawn.copy_from_slice(&SEED.to_be_bytes().repeat(4));
        let setup = ServerSetup {
            vfs: mount.name().to_owned(),
            page_rows_max: 1,
            push_groups_max: 1,
            stable_after_ms: 0,
            random: drawn,
        };
        let mut server = Server::new(disk.clone(), setup);
        assert!(server.start(), "a server opens: {:?}", server.failed);
        server.stop();
        Template::of(&disk, "/server.db", &[inside(&drawn)])
    });
    made.copy(&[inside(&random)])
}

impl Template {
    fn of(disk: &Disk, file: &'static str, ids: &[[u8; 16]]) -> Self {
        let image = disk.snapshot();
        let bytes = image.get(file).expect("a template has its database").to_vec();
        let place = |id: &[u8; 16]| {
            let found: Vec<usize> =
                bytes.windows(16).enumerate().filter(|(_, at)| at == id).map(|(at, _)| at).collect();
            assert_eq!(found.len(), 1, "an id stands once in {file}");
            found[0]
        };
        let ids_at = ids.iter().map(place).collect();
        Self { file, image, bytes, ids_at }
    }

    fn copy(&self, ids: &[[u8; 16]]) -> DiskImage {
        let mut bytes = self.bytes.clone();
        for (at, id) in self.ids_at.iter().zip(ids) {
            bytes[*at..*at + 16].copy_from_slice(id);
        }
        let mut image = self.image.clone();
        image.insert(self.file, bytes);
        image
    }
}
