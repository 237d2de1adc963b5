//! Plays the demo: deals, writes, breaks, syncs, compares, and tells it as it happens.

use std::path::Path;

use turnstone::transport::{HttpTransport, Timeouts};
use turnstone_server::{Key, token};

use super::child::{ServerSetup, this_program, write_file};
use super::deal::{Beat, Deal, Rules, deal};
use super::moments::moments;
use super::oracle::Oracle;
use super::report::{DeviceReport, Hashed, Report};
use super::source::Source;
use super::stage::{DEVICES, Stage, StageSetup};
use super::story;
use crate::commands::state_hash::ask;
use crate::edge::{self, Stopwatch};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::opening::NOTES_SCHEMA;
use crate::output::Output;
use crate::proxy::{Faults, Summary};

/// How often the sync at the end is repeated before the demo gives up.
const LAST_PASSES_MAX: usize = 5;
/// How long the demo's tokens last.
const TOKEN_S: u64 = 24 * 60 * 60;

/// How the demo is played.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Decides who does what and what goes wrong.
    pub seed: u64,
    /// Commits between two syncs.
    pub burst_commits: usize,
    /// What goes wrong on the links.
    pub faults: Faults,
}

/// Plays the demo in `folder`.
///
/// # Errors
/// A failure if something could not even be tried. What went wrong otherwise stands in the report.
pub async fn play(output: Output, source: &Source, choice: Choice, folder: &Path) -> Result<Report, Failure> {
    let watch = Stopwatch::start();
    let rules = Rules { devices: DEVICES.len(), seed: choice.seed, burst_commits: choice.burst_commits };
    let deal = deal(source, rules);
    let (mut stage, token) = open(choice, folder).await?;
    output.say(&opening(source, &deal, &stage))?;
    let told = perform(output, &mut stage, &deal).await?;
    let mut report = compare(&mut stage, source, &deal, choice, &token).await?;
    (report.server_crashes, report.device_crashes) = (told.server_crashes, told.device_crashes);
    report.seconds = watch.seconds();
    stage.close().await?;
    output.say(&ending(&report, &told))?;
    Ok(report)
}

async fn open(choice: Choice, folder: &Path) -> Result<(Stage, String), Failure> {
    let schema = folder.join("notes.toml");
    write_file(&schema, NOTES_SCHEMA)?;
    let key: String = edge::random_bytes()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = Key::from_text(&key).map_err(|error| Failure::bad_input("key", format!("{error}."), ""))?;
    let now_ms = u64::try_from(edge::wall_ms()).unwrap_or_default();
    let token = token::mint(&secret, "demo", "reader", None, TOKEN_S, now_ms)
        .map_err(|problem| Failure::new(Exit::Failure, problem.code.as_str(), problem.title, ""))?;
    let server = ServerSetup {
        program: this_program()?,
        db: folder.join("server.db"),
        schema,
        key,
        log: folder.join("server.log"),
    };
    let setup = StageSetup {
        server,
        folder: folder.to_owned(),
        token: token.clone(),
        faults: choice.faults,
        seed: choice.seed,
    };
    Ok((Stage::open(setup).await?, token))
}

/// What happened on the way.
#[derive(Debug, Default)]
struct Told {
    server_crashes: usize,
    device_crashes: usize,
    repeated: usize,
}

async fn perform(output: Output, stage: &mut Stage, deal: &Deal) -> Result<Told, Failure> {
    let mut told = Told::default();
    let bar = output.progress(deal.beats.len() as u64, "bursts and syncs");
    let middle = deal.beats.len() / 2;
    for (number, beat) in deal.beats.iter().enumerate() {
        match beat {
            Beat::Burst(steps) if number >= middle && told.device_crashes == 0 => {
                stage.set_offline(true);
                let victim = busiest(steps);
                told.repeated = stage.burst_with_a_crash(steps, victim).await?;
                told.device_crashes += 1;
            }
            Beat::Burst(steps) => {
                stage.set_offline(true);
                stage.burst(steps).await?;
            }
            Beat::Sync(devices) => {
                stage.set_offline(false);
                if number >= middle && told.server_crashes == 0 {
                    stage.crash_server().await?;
                    told.server_crashes += 1;
                }
                stage.sync(devices).await?;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(told)
}

/// The device with the most to write.
fn busiest(steps: &[super::deal::Step]) -> usize {
    let count = |device: usize| steps.iter().filter(|step| step.device == device).count();
    (0..DEVICES.len()).max_by_key(|device| count(*device)).unwrap_or_default()
}

async fn compare(
    stage: &mut Stage,
    source: &Source,
    deal: &Deal,
    choice: Choice,
    token: &str,
) -> Result<Report, Failure> {
    let (server, equal) = until_equal(stage, token).await?;
    let rows = match stage.devices_mut().first_mut() {
        Some(device) => device.notes().await?,
        None => std::collections::BTreeMap::new(),
    };
    let mut devices = Vec::new();
    let mut link = Summary::default();
    for device in stage.devices_mut() {
        let counts = device.counts().await?;
        let (at, rows, hash) = device.hash().await?;
        link.add(&device.link());
        devices.push(DeviceReport {
            name: device.name,
            clock_offset: device.clock_offset,
            notes: rows,
            groups_written: device.groups,
            groups_pushed: device.synced.groups_pushed,
            rows_pulled: device.synced.rows_pulled,
            merged: device.synced.merged,
            overlaps: device.synced.overlaps,
            dead_letters: counts.dead_letters,
            pending: counts.pending_groups,
            bytes_up: device.synced.bytes_up,
            bytes_down: device.synced.bytes_down,
            attempts: device.synced.attempts,
            seconds: device.write_seconds + device.sync_seconds,
            state: Hashed { at, rows, hash },
        });
    }
    let sync_passes = deal.beats.iter().filter(|beat| matches!(beat, Beat::Sync(_))).count();
    let mut report = Report {
        source: source.origin.clone(),
        seed: choice.seed,
        notes_at_start: source.notes.len(),
        commits: deal.real_groups,
        seeded_edits: deal.seeded_groups,
        meetings: deal.meetings(),
        sync_passes,
        server_crashes: 0,
        device_crashes: 0,
        devices,
        server,
        link,
        checks: Oracle::new(deal).check(&rows),
        moments: moments(deal, &rows),
        equal,
        ok: false,
        seconds: 0.0,
    };
    report.ok = report.problems().is_empty();
    Ok(report)
}

/// Syncs everybody until all hashes are equal, or often enough to say that they will not be.
async fn until_equal(stage: &mut Stage, token: &str) -> Result<(Hashed, bool), Failure> {
    let transport = HttpTransport::new(&stage.server_url(), Timeouts::default(), false)?;
    let all: Vec<usize> = (0..DEVICES.len()).collect();
    let mut passes = 0;
    loop {
        let hash = ask(&transport, token).await?;
        let server = Hashed { at: hash.at, rows: hash.rows, hash: hash.hash };
        let mut equal = true;
        for device in stage.devices_mut() {
            let (at, rows, hash) = device.hash().await?;
            equal &= (Hashed { at, rows, hash }) == server;
        }
        if equal || passes == LAST_PASSES_MAX {
            return Ok((server, equal));
        }
        passes += 1;
        stage.sync(&all).await?;
    }
}

fn opening(source: &Source, deal: &Deal, stage: &Stage) -> String {
    let devices: Vec<String> = DEVICES
        .iter()
        .map(|(name, offset)| if *offset == "0s" { (*name).to_owned() } else { format!("{name} (clock {offset})") })
        .collect();
    format!(
        "Turnstone: one person, five devices, one server, a bad network
==============================================================

1. The cast
   {}
   A server at {} and five devices, each a process with its own database:
   {}.
   The phone imports {} notes and sends them; the others fetch them.

2. Offline
   {} real commits are dealt to the devices; a commit is one group, whole or not at all. Where a commit touches a
   note, other devices often touch it too before anybody has a network: {} more edits of tag, title, pin, body and
   view counter. {} notes are changed by two devices that do not know of each other.
   In the middle one device is killed while it writes, and the server while it runs (kill -9).
",
        source.origin,
        stage.server_url(),
        devices.join(", "),
        source.notes.len(),
        deal.real_groups,
        deal.seeded_groups,
        deal.meetings(),
    )
}

fn ending(report: &Report, told: &Told) -> String {
    let moments: Vec<String> =
        report.moments.iter().map(|moment| format!("   “{}”: {}", moment.note, moment.story)).collect();
    format!(
        "3. The network
   {} times some devices went online, through links on which this happened:
{}
   {} of the killed device's writes were saved without it being able to say so; repeated with their keys they counted once.

4. The devices

{}

{}

5. Where devices met
{}

6. What must be true, worked out from who wrote what and who can have known it
{}

{}",
        report.sync_passes,
        story::link(&report.link),
        told.repeated,
        story::devices(report),
        story::LEGEND,
        moments.join("\n"),
        story::checks(report),
        story::verdict(report),
    )
}
