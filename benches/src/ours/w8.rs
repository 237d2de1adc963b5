//! Pushes per second: many small ones at once, over HTTP, each durable when it is answered.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use turnstone_protocol::op::{Group, Op, OpKind};
use turnstone_protocol::wire::{PushAnswer, PushRequest};
use turnstone_protocol::{DeviceId, Fields, Gid, Hlc, Incarnation};

use super::inside::{Inside, NOW_MS, somebody};
use super::remote;
use turnstone_server::Principal;

use crate::Result;
use crate::notes::Note;
use crate::sample::{Meter, Sample, Stopwatch};
use crate::scenario::Bed;
use crate::serve::Served;

/// Devices that push at once.
const DEVICES: usize = 64;

/// Each device pushes its share of the notes, one group of one create at a time.
pub(crate) fn pushes(bed: &Bed, tenants: usize) -> Result<Sample> {
    let notes = bed.notes(bed.ops)?;
    let server = Served::start("ours", &bed.file("server.db"))?;
    let client = reqwest::Client::builder().build()?;
    let share = notes.len().div_ceil(DEVICES);
    let mut devices = Vec::new();
    for (number, notes) in notes.chunks(share).enumerate() {
        devices.push(Device {
            client: client.clone(),
            url: format!("{}/sync/v1/push", server.base),
            token: remote::token(&format!("tenant-{}", number % tenants))?,
            bodies: bodies(number as u128, notes)?,
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let before_ns = server.cpu_ns();
    let mut meter = Meter::start(notes.len());
    let calls = runtime.block_on(futures_util::future::try_join_all(devices.into_iter().map(Device::push_all)))?;
    meter.add_calls(calls.concat());
    let sample = meter.finish(notes.len());
    let cpu_ns = server.cpu_ns().zip(before_ns).map_or(0, |(after, before)| after - before);
    Ok(Sample { cpu_ns, ..sample })
}

/// The same pushes from as many threads to the rules and storage in this process, without HTTP.
pub(crate) fn without_http(bed: &Bed, tenants: usize) -> Result<Sample> {
    let notes = bed.notes(bed.ops)?;
    let server = Inside::open(&bed.file("server.db"), true)?;
    let share = notes.len().div_ceil(DEVICES);
    let devices = notes.chunks(share).enumerate();
    let devices = devices.map(|(number, notes)| Ok((number % tenants, bodies(number as u128, notes)?)));
    let devices = devices.collect::<Result<Vec<_>>>()?;
    let mut meter = Meter::start(notes.len());
    std::thread::scope(|scope| {
        let push = |(tenant, bodies): &(usize, Vec<Vec<u8>>)| push_inside(&server, *tenant, bodies);
        let threads: Vec<_> = devices.iter().map(|device| scope.spawn(move || push(device))).collect();
        for thread in threads {
            meter.add_calls(thread.join().map_err(|_| "a device panicked")??);
        }
        Ok(meter.finish(notes.len()))
    })
}

fn push_inside(server: &Inside, tenant: usize, bodies: &[Vec<u8>]) -> Result<Vec<u64>> {
    let who = Principal { tenant: format!("tenant-{tenant}"), ..somebody() };
    let push = |body: &Vec<u8>| {
        let started = Stopwatch::start();
        let request: PushRequest<&RawValue> = serde_json::from_slice(body)?;
        let answer = server.service.push_text(&who, &request, NOW_MS).map_err(|problem| format!("{problem:?}"))?;
        if answer.accepted == answer.groups { Ok(started.ns()) } else { Err("a push was not accepted".into()) }
    };
    bodies.iter().map(push).collect()
}

struct Device {
    client: reqwest::Client,
    url: String,
    token: String,
    bodies: Vec<Vec<u8>>,
}

impl Device {
    async fn push_all(self) -> Result<Vec<u64>> {
        let mut calls = Vec::with_capacity(self.bodies.len());
        for body in self.bodies {
            let started = Stopwatch::start();
            let request =
                self.client.post(&self.url).bearer_auth(&self.token).header("content-type", "application/json");
            let answer = request.body(body).send().await?.error_for_status()?.bytes().await?;
            calls.push(started.ns());
            let answer: PushAnswer = serde_json::from_slice(&answer)?;
            if !answer.verdicts.iter().all(|verdict| verdict.verdict.is_accepted()) {
                return Err("a push was not accepted".into());
            }
        }
        Ok(calls)
    }
}

fn bodies(device: u128, notes: &[Note]) -> Result<Vec<Vec<u8>>> {
    let body = |(note, seq): (&Note, u64)| {
        let set = super::fields(note).map(|(name, value)| (name.to_owned(), value)).into();
        let group = group(Gid::from_random((device + 1) << 64 | u128::from(seq)), seq, create(note, set));
        let (device, incarnation) = (DeviceId::from_random(device + 1), Incarnation::from_random(device + 1));
        Ok(serde_json::to_vec(&PushRequest {
            device,
            incarnation,
            schema: 1,
            groups: vec![group],
            runs: false,
            pull: None,
        })?)
    };
    notes.iter().zip(1..).map(body).collect()
}

fn create(note: &Note, set: Fields) -> Op {
    Op {
        kind: OpKind::Create,
        table: "notes".to_owned(),
        id: note.id.clone(),
        base: 0,
        set,
        inc: BTreeMap::new(),
        was: Fields::new(),
        was_hash: BTreeMap::new(),
    }
}

fn group(gid: Gid, seq: u64, op: Op) -> Group {
    let hlc = Hlc::at(1_760_000_000_000 + seq);
    Group { gid, seq, hlc, schema: 1, app: None, after: vec![], covers: vec![], replaces: None, ops: vec![op] }
}
