//! What a scenario is: machines with a disk each, a list of actions, and a way to look at the result.

use std::sync::atomic::{AtomicU64, Ordering};

use turnstone_vfs::{Disk, DiskImage, Mount};

/// Why a call failed: the stable code and the sentence of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error's stable code; `unexpected` and `internal` are never right.
    pub code: String,
    /// What a person reads.
    pub message: String,
}

impl Failure {
    /// A failure that no typed error of the code under test explains.
    pub fn unexpected(message: impl std::fmt::Display) -> Self {
        Self { code: "unexpected".into(), message: message.to_string() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { code: "sqlite".into(), message: error.to_string() }
    }
}

/// A workload of acknowledged actions on the disks of a few machines; one of them meets the accidents.
pub trait Scenario: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// The disks before the part under test, one per machine.
    ///
    /// # Errors
    /// If the world cannot be made: never right.
    fn start(&self) -> Result<Vec<DiskImage>, Failure>;

    /// Which machine meets the accidents.
    fn victim(&self) -> usize {
        0
    }

    /// Whether an acknowledged action must survive power loss.
    fn durable(&self) -> bool {
        true
    }

    /// Whether actions that a power loss took away can be done again to the same end. They cannot where another
    /// machine has seen them: then the world must only agree with itself again.
    fn repeatable(&self) -> bool {
        true
    }

    /// Whether a power loss after a failed sync may take nothing away. It may where actions open the file anew: what a
    /// new connection finds in the WAL it takes for good, also a commit whose sync failed before it came (a known
    /// limit, see `docs/reliability.md`).
    fn outlives_sync_errors(&self) -> bool {
        true
    }

    /// How many actions there are.
    fn actions(&self) -> usize;

    /// Whether action `i` is one transaction, which a refusal must leave without a trace.
    fn atomic(&self, _i: usize) -> bool {
        true
    }

    /// Opens everything on these machines.
    ///
    /// # Errors
    /// A typed error of what is opened.
    fn open<'a>(&self, machines: &'a [Mount]) -> Result<Box<dyn Session + 'a>, Failure>;

    /// The victim's database as one text that differs whenever a commit made a difference, read without the code
    /// under test.
    ///
    /// # Errors
    /// If the database is damaged.
    fn dump(&self, victim: &Mount) -> Result<String, Failure>;
}

/// The open handles of a running world.
pub trait Session {
    /// Runs action `i`, from 0. `Ok` is its acknowledgement. Running it again must change nothing.
    ///
    /// # Errors
    /// A typed error of the code under test.
    fn act(&mut self, i: usize) -> Result<(), Failure>;

    /// What the app sees, as text: equal after equal actions, however often they were interrupted.
    ///
    /// # Errors
    /// A typed error of the code under test.
    fn see(&mut self) -> Result<String, Failure>;

    /// Checks, after the last action, whatever else must hold, such as that all machines agree.
    ///
    /// # Errors
    /// What does not hold.
    fn settle(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// The machines of one world, mounted under names of their own.
pub struct World {
    /// One mount per machine.
    pub machines: Vec<Mount>,
}

static NEXT_WORLD: AtomicU64 = AtomicU64::new(1);

impl World {
    /// Mounts so many empty disks. Mounts are kept and their disks swapped: SQLite never lets go of a name for sure.
    pub fn new(machines: usize) -> Self {
        let world = NEXT_WORLD.fetch_add(1, Ordering::Relaxed);
        let mount = |machine| Mount::new(&format!("crash-{world}-{machine}"), &Disk::new());
        Self { machines: (0..machines).map(mount).collect() }
    }

    /// Puts these files on the disks, all durable; whoever had them open is dead.
    pub fn load<'a>(&self, images: impl IntoIterator<Item = &'a DiskImage>) {
        for (machine, image) in self.machines.iter().zip(images) {
            machine.insert(&Disk::from_image(image));
        }
    }

    /// The disk of a machine.
    ///
    /// # Errors
    /// If there is no such machine.
    pub fn disk(&self, machine: usize) -> Result<Disk, Failure> {
        self.mount(machine).map(Mount::disk)
    }

    /// The mount of a machine.
    ///
    /// # Errors
    /// If there is no such machine.
    pub fn mount(&self, machine: usize) -> Result<&Mount, Failure> {
        self.machines.get(machine).ok_or_else(|| Failure::unexpected("no such machine"))
    }
}
