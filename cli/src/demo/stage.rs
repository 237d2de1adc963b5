//! The demo's world: one server, five devices behind links of their own, and what was written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::future::join_all;
use turnstone::Fields;

use super::child::{DeviceProcess, DeviceSetup, ServerProcess, ServerSetup};
use super::deal::{Act as Deed, Step};
use crate::device::{Act, Answer, Counted, Request, RowWrite, Synced, Write};
use crate::edge::Stopwatch;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::proxy::{Faults, Link, LinkConfig, Summary};

/// The devices and how wrong their clocks are.
pub const DEVICES: [(&str, &str); 5] =
    [("phone", "0s"), ("tablet", "+90s"), ("laptop", "0s"), ("desktop", "-3d"), ("old phone", "+5y")];
/// The most attempts of one sync before the demo gives up.
const SYNC_ATTEMPTS: u32 = 40;
/// The table.
const TABLE: &str = "notes";

/// One server, five devices, and the links between them.
#[derive(Debug)]
pub struct Stage {
    server_setup: ServerSetup,
    server: Option<ServerProcess>,
    devices: Vec<Device>,
}

/// A device, its link, and what it did so far.
#[derive(Debug)]
pub struct Device {
    /// Its name in the story.
    pub name: &'static str,
    /// How wrong its clock is.
    pub clock_offset: &'static str,
    /// Groups it wrote, each acknowledged.
    pub groups: u64,
    /// What its syncs did.
    pub synced: Synced,
    /// Seconds it spent writing.
    pub write_seconds: f64,
    /// Seconds it spent syncing.
    pub sync_seconds: f64,
    setup: DeviceSetup,
    process: Option<DeviceProcess>,
    link: Link,
}

/// What the stage is set up with.
#[derive(Debug, Clone)]
pub struct StageSetup {
    /// The server.
    pub server: ServerSetup,
    /// The folder of the devices' databases.
    pub folder: PathBuf,
    /// An access token for every device.
    pub token: String,
    /// What goes wrong on the links.
    pub faults: Faults,
    /// Decides when.
    pub seed: u64,
}

impl Stage {
    /// Starts the server, the links and the devices.
    ///
    /// # Errors
    /// A failure of a process.
    pub async fn open(setup: StageSetup) -> Result<Self, Failure> {
        let server = ServerProcess::start(&setup.server).await?;
        let mut devices = Vec::with_capacity(DEVICES.len());
        for (number, (name, clock_offset)) in (0u64..).zip(DEVICES) {
            let config = LinkConfig {
                listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
                to: server.address.clone(),
                seed: setup.seed.wrapping_add(number),
                faults: setup.faults,
            };
            let link = Link::start(config).await.map_err(|error| {
                Failure::new(Exit::Failure, "listen", format!("A link cannot listen: {error}."), "Try again.")
            })?;
            let device = DeviceSetup {
                program: setup.server.program.clone(),
                db: setup.folder.join(format!("{}.db", name.replace(' ', "-"))),
                schema: setup.server.schema.clone(),
                server: link.url(),
                token: setup.token.clone(),
                clock_offset,
                timeout_ms: 3_000,
            };
            let process = DeviceProcess::start(&device)?;
            devices.push(Device::new(name, clock_offset, device, process, link));
        }
        Ok(Self { server_setup: setup.server, server: Some(server), devices })
    }

    /// Lets devices write offline, each its steps in order, all at the same time.
    ///
    /// # Errors
    /// A failure if a write was not acknowledged.
    pub async fn burst(&mut self, steps: &[Step]) -> Result<(), Failure> {
        let work = self.devices.iter_mut().enumerate().map(|(number, device)| {
            let mine: Vec<Request> = requests(steps, number);
            device.write(mine, None)
        });
        join_all(work).await.into_iter().collect()
    }

    /// Like [`Stage::burst`], and kills one device in the middle of its writes. It starts again and repeats what was
    /// not acknowledged, with the same keys. Says how many writes it had saved without being able to say so.
    ///
    /// # Errors
    /// As [`Stage::burst`].
    pub async fn burst_with_a_crash(&mut self, steps: &[Step], victim: usize) -> Result<usize, Failure> {
        let mut repeated = 0;
        let work = self.devices.iter_mut().enumerate().map(|(number, device)| {
            let mine: Vec<Request> = requests(steps, number);
            let kill_after = (number == victim).then_some(mine.len() / 2);
            device.write_counting(mine, kill_after)
        });
        for count in join_all(work).await {
            repeated += count?;
        }
        Ok(repeated)
    }

    /// Lets devices sync at the same time, each until it is quiet.
    ///
    /// # Errors
    /// A failure if one does not become quiet.
    pub async fn sync(&mut self, which: &[usize]) -> Result<(), Failure> {
        let work = self.devices.iter_mut().enumerate().filter(|(number, _)| which.contains(number));
        join_all(work.map(|(_, device)| device.sync())).await.into_iter().collect()
    }

    /// Kills the server as a crash would, and starts it again on the same database.
    ///
    /// # Errors
    /// A failure of the process.
    pub async fn crash_server(&mut self) -> Result<(), Failure> {
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        let server = ServerProcess::start(&self.server_setup).await?;
        for device in &self.devices {
            device.link.set_target(server.address.clone());
        }
        self.server = Some(server);
        Ok(())
    }

    /// Switches every device's network off or on.
    pub fn set_offline(&self, offline: bool) {
        for device in &self.devices {
            device.link.set_offline(offline);
        }
    }

    /// Where the server listens.
    #[must_use]
    pub fn server_url(&self) -> String {
        self.server.as_ref().map(|server| format!("http://{}", server.address)).unwrap_or_default()
    }

    /// The devices.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The devices, to ask them things.
    pub fn devices_mut(&mut self) -> &mut [Device] {
        &mut self.devices
    }

    /// Lets every device end in order, and then the server.
    ///
    /// # Errors
    /// A failure if one does not end well.
    pub async fn close(self) -> Result<Vec<Summary>, Failure> {
        let mut summaries = Vec::with_capacity(self.devices.len());
        for device in self.devices {
            if let Some(process) = device.process {
                process.finish().await?;
            }
            summaries.push(device.link.stop().await);
        }
        Ok(summaries)
    }
}

impl Device {
    fn new(
        name: &'static str,
        clock_offset: &'static str,
        setup: DeviceSetup,
        process: DeviceProcess,
        link: Link,
    ) -> Self {
        let synced = Synced::default();
        let (groups, write_seconds, sync_seconds) = (0, 0.0, 0.0);
        Self { name, clock_offset, groups, synced, write_seconds, sync_seconds, setup, process: Some(process), link }
    }

    /// What the device's link did.
    #[must_use]
    pub fn link(&self) -> Summary {
        self.link.summary()
    }

    async fn write(&mut self, requests: Vec<Request>, kill_after: Option<usize>) -> Result<(), Failure> {
        self.write_counting(requests, kill_after).await.map(|_| ())
    }

    async fn write_counting(&mut self, requests: Vec<Request>, kill_after: Option<usize>) -> Result<usize, Failure> {
        let watch = Stopwatch::start();
        let mut answers = Vec::new();
        if let Some(kill_after) = kill_after
            && let Some(process) = self.process.take()
        {
            answers = process.kill_after(&requests, kill_after).await?;
            self.process = Some(DeviceProcess::start(&self.setup)?);
        }
        let rest = requests.get(answers.len()..).unwrap_or_default();
        answers.extend(self.process()?.ask_all(rest).await?);
        let mut repeated = 0;
        for answer in answers {
            match answer {
                Answer::Wrote(wrote) => repeated += usize::from(wrote.repeated),
                other => return Err(self.unexpected(&other)),
            }
            self.groups += 1;
        }
        self.write_seconds += watch.seconds();
        Ok(repeated)
    }

    async fn sync(&mut self) -> Result<(), Failure> {
        let watch = Stopwatch::start();
        let answer = self.process()?.ask(&Request::Sync { attempts: SYNC_ATTEMPTS }).await?;
        self.sync_seconds += watch.seconds();
        let Answer::Synced(synced) = answer else { return Err(self.unexpected(&answer)) };
        if !synced.quiet {
            let why = synced.last_failure.map(|failed| failed.message).unwrap_or_default();
            let message = format!("The {} did not become quiet in {} attempts: {why}", self.name, synced.attempts);
            return Err(Failure::new(Exit::Failure, "demo_not_quiet", message, "This is a bug: please report it."));
        }
        self.synced.append(&synced);
        Ok(())
    }

    /// The device's counts.
    ///
    /// # Errors
    /// A failure if it does not answer.
    pub async fn counts(&mut self) -> Result<Counted, Failure> {
        match self.process()?.ask(&Request::Status).await? {
            Answer::Status(counted) => Ok(counted),
            other => Err(self.unexpected(&other)),
        }
    }

    /// The device's state hash: commit, rows, hash.
    ///
    /// # Errors
    /// A failure if it does not answer.
    pub async fn hash(&mut self) -> Result<(u64, u64, String), Failure> {
        match self.process()?.ask(&Request::Hash).await? {
            Answer::Hash { at, rows, hash } => Ok((at, rows, hash)),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Every note on the device.
    ///
    /// # Errors
    /// A failure if it does not answer.
    pub async fn notes(&mut self) -> Result<BTreeMap<String, Fields>, Failure> {
        match self.process()?.ask(&Request::Rows { table: TABLE.to_owned() }).await? {
            Answer::Rows(rows) => Ok(rows),
            other => Err(self.unexpected(&other)),
        }
    }

    fn process(&mut self) -> Result<&mut DeviceProcess, Failure> {
        let gone = || Failure::new(Exit::Failure, "demo_device", "A device process is gone.", "Try again.");
        self.process.as_mut().ok_or_else(gone)
    }

    fn unexpected(&self, answer: &Answer) -> Failure {
        let why = match answer {
            Answer::Failed(failed) => failed.message.clone(),
            _ => "It answered something else.".to_owned(),
        };
        let message = format!("The {} refused what it was dealt: {why}", self.name);
        Failure::new(Exit::Failure, "demo_refused", message, "This is a bug: please report it.")
    }
}

/// The steps of one device as requests. The key of each is its number in the ledger, so that repeating is harmless.
fn requests(steps: &[Step], device: usize) -> Vec<Request> {
    let mine = steps.iter().filter(|step| step.device == device);
    mine.map(|step| {
        let first = step.writes.first().map_or(0, |write| write.number);
        let writes = step.writes.iter().map(|write| {
            let (act, set) = match &write.act {
                Deed::Create(set) => (Act::Put, set.clone()),
                Deed::Set(set) => (Act::Set, set.clone()),
                Deed::Delete => (Act::Delete, Fields::new()),
            };
            let views = (write.views != 0).then(|| ("views".to_owned(), write.views));
            RowWrite { id: write.id.clone(), act, set, inc: views.into_iter().collect() }
        });
        let write_id = Some(format!("demo-{first}"));
        Request::Write(Write { table: TABLE.to_owned(), writes: writes.collect(), write_id })
    })
    .collect()
}
