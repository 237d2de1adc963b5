//! Deals a history to devices: who writes what, offline, and who syncs when. Pure: the seed decides all of it.
//!
//! A real commit goes whole to one device, and becomes one group there. A device is only dealt what it can
//! do: it never edits a note it cannot have heard of. Where a commit touches a note, other devices that
//! hold the note often touch it too, before anybody syncs: they give it another tag, another title, a pin,
//! or just read it. That is where merging happens.

use std::collections::{BTreeMap, BTreeSet};

use turnstone::{Fields, Value};

use super::ledger::{Ledger, WriteNo};
use super::source::{Change, Content, RealCommit, Source};

/// How many imported notes make one group.
const IMPORT_GROUP: usize = 250;

/// What one device does to one note.
#[derive(Debug, Clone, PartialEq)]
pub struct NoteWrite {
    /// The note.
    pub id: String,
    /// What becomes of it.
    pub act: Act,
    /// How often it was read on the way.
    pub views: i64,
    /// Its number in the ledger.
    pub number: WriteNo,
}

/// What becomes of a note.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// It is made.
    Create(Fields),
    /// These fields change; maybe none, where it was only read.
    Set(Fields),
    /// It is deleted.
    Delete,
}

/// One local transaction of one device: a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The device.
    pub device: usize,
    /// What it writes.
    pub writes: Vec<NoteWrite>,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq)]
pub enum Beat {
    /// Devices write offline, each in this order.
    Burst(Vec<Step>),
    /// These devices sync at the same time.
    Sync(Vec<usize>),
}

/// What is dealt, and how.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How many devices.
    pub devices: usize,
    /// Decides everything else.
    pub seed: u64,
    /// How many commits are dealt between syncs.
    pub burst_commits: usize,
}

/// A dealt history.
#[derive(Debug, Clone)]
pub struct Deal {
    /// What happens, in order.
    pub beats: Vec<Beat>,
    /// Who can have known what.
    pub ledger: Ledger,
    /// How many of the groups carry real commits.
    pub real_groups: usize,
    /// How many carry seeded edits.
    pub seeded_groups: usize,
}

/// Deals a history.
#[must_use]
pub fn deal(source: &Source, rules: Rules) -> Deal {
    let mut dealer = Dealer {
        rules,
        rng: fastrand::Rng::with_seed(rules.seed),
        ledger: Ledger::new(rules.devices),
        beats: Vec::new(),
        burst: Vec::new(),
        notes: BTreeMap::new(),
        made: 0,
    };
    dealer.import(source);
    let mut seeded_groups = 0;
    for (n, commit) in source.commits.iter().enumerate() {
        let device = dealer.device_for(commit);
        seeded_groups += dealer.cross(device, commit);
        dealer.commit(device, commit);
        seeded_groups += dealer.meet(device, commit);
        if (n + 1) % rules.burst_commits.max(1) == 0 {
            dealer.some_sync();
        }
    }
    dealer.all_sync();
    Deal { beats: dealer.beats, ledger: dealer.ledger, real_groups: source.commits.len(), seeded_groups }
}

struct Dealer {
    rules: Rules,
    rng: fastrand::Rng,
    ledger: Ledger,
    beats: Vec<Beat>,
    burst: Vec<Step>,
    notes: BTreeMap<String, Note>,
    made: usize,
}

/// What the dealer remembers of a note.
struct Note {
    /// What the real history says of it; none while it is deleted.
    content: Option<Content>,
    /// The write that made or deleted it last.
    turn: WriteNo,
    /// Every write to it.
    writes: Vec<WriteNo>,
}

impl Dealer {
    /// The first device imports everything and everybody else receives it.
    fn import(&mut self, source: &Source) {
        for chunk in source.notes.chunks(IMPORT_GROUP) {
            let mut writes = Vec::with_capacity(chunk.len());
            for note in chunk {
                let content = Content {
                    title: note.title.clone(),
                    tag: note.tag.clone().unwrap_or_default(),
                    body: note.body.clone().unwrap_or_default(),
                };
                let act = Act::Create(all_fields(&content, note.updated_at_ms.unwrap_or_default()));
                writes.push(self.write(0, &note.id, act, 0, Some(content)));
            }
            self.burst.push(Step { device: 0, writes });
        }
        self.sync(vec![0]);
        self.sync((1..self.rules.devices).collect());
    }

    /// A device that can do what the commit does; syncs everybody first if there is none.
    fn device_for(&mut self, commit: &RealCommit) -> usize {
        let able: Vec<usize> = (0..self.rules.devices).filter(|&device| self.able(device, commit)).collect();
        if let Some(device) = self.rng.choice(able) {
            return device;
        }
        self.all_sync();
        self.rng.usize(..self.rules.devices.max(1))
    }

    fn able(&self, device: usize, commit: &RealCommit) -> bool {
        commit.edits.iter().all(|edit| match (self.notes.get(&edit.id), &edit.change) {
            (None, _) => true,
            // A note gets a second life only where everything of the first is known.
            (Some(note), Change::Create(_)) => note.writes.iter().all(|&write| self.ledger.knows(device, write)),
            (Some(note), _) => self.ledger.knows(device, note.turn),
        })
    }

    fn commit(&mut self, device: usize, commit: &RealCommit) {
        let mut writes = Vec::with_capacity(commit.edits.len());
        for edit in &commit.edits {
            let before = self.notes.get(&edit.id).and_then(|note| note.content.clone());
            let (act, after) = match &edit.change {
                Change::Create(content) => (Act::Create(all_fields(content, commit.at_ms)), Some(content.clone())),
                Change::Update(content) => {
                    (Act::Set(changed_fields(before.as_ref(), content, commit.at_ms)), Some(content.clone()))
                }
                Change::Delete => (Act::Delete, None),
            };
            writes.push(self.write(device, &edit.id, act, 0, after));
        }
        self.burst.push(Step { device, writes });
    }

    /// Another device edits a note that this commit is about to delete. Says how many groups that made.
    fn cross(&mut self, device: usize, commit: &RealCommit) -> usize {
        let mut groups = 0;
        for edit in commit.edits.iter().filter(|edit| edit.change == Change::Delete) {
            if self.rng.u8(..10) < 3 {
                groups += usize::from(self.touch_elsewhere(device, &edit.id, commit.at_ms));
            }
        }
        groups
    }

    /// Other devices touch a note of the commit before anybody syncs. Says how many groups that made.
    fn meet(&mut self, device: usize, commit: &RealCommit) -> usize {
        let Some(edit) = self.rng.choice(&commit.edits) else { return 0 };
        let others = match self.rng.u8(..10) {
            0..4 => 0,
            4..8 => 1,
            _ => 2,
        };
        (0..others).filter(|_| self.touch_elsewhere(device, &edit.id, commit.at_ms)).count()
    }

    /// A device other than `device` touches the note, if one holds it.
    fn touch_elsewhere(&mut self, device: usize, id: &str, at_ms: i64) -> bool {
        let Some((content, turn)) = self.notes.get(id).and_then(|note| Some((note.content.clone()?, note.turn))) else {
            return false;
        };
        let able = (0..self.rules.devices).filter(|&other| other != device && self.ledger.knows(other, turn));
        let able: Vec<usize> = able.collect();
        let Some(other) = self.rng.choice(able) else { return false };
        let set = self.touch(&content, at_ms);
        let views = self.rng.i64(1..=3);
        let write = self.write(other, id, Act::Set(set), views, Some(content));
        self.burst.push(Step { device: other, writes: vec![write] });
        true
    }

    fn touch(&mut self, content: &Content, at_ms: i64) -> Fields {
        self.made += 1;
        let made = self.made;
        let mut set = Fields::new();
        match self.rng.u8(..10) {
            0..3 => set.insert("tag".to_owned(), Value::from(format!("{} #{made}", content.tag))),
            3..5 => set.insert("title".to_owned(), Value::from(format!("{} (rev {made})", content.title))),
            5..7 => set.insert("pinned".to_owned(), Value::from(self.rng.bool())),
            7..8 => set.insert("body".to_owned(), Value::from(format!("{}\n\nSee also note {made}.", content.body))),
            _ => return set,
        };
        let later_ms = at_ms + self.rng.i64(1..60_000);
        set.insert("updated_at".to_owned(), Value::from(later_ms));
        set
    }

    fn write(&mut self, device: usize, id: &str, act: Act, views: i64, after: Option<Content>) -> NoteWrite {
        let number = self.ledger.write(device);
        let note = self.notes.entry(id.to_owned()).or_insert(Note { content: None, turn: number, writes: Vec::new() });
        if !matches!(act, Act::Set(_)) {
            note.turn = number;
        }
        note.content = after;
        note.writes.push(number);
        NoteWrite { id: id.to_owned(), act, views, number }
    }

    fn some_sync(&mut self) {
        let mut devices: Vec<usize> = (0..self.rules.devices).filter(|_| self.rng.u8(..10) < 6).collect();
        if devices.is_empty() {
            devices.push(self.rng.usize(..self.rules.devices.max(1)));
        }
        self.sync(devices);
    }

    /// Twice: the second pass brings what the others pushed in the first.
    fn all_sync(&mut self) {
        let all: Vec<usize> = (0..self.rules.devices).collect();
        self.sync(all.clone());
        self.sync(all);
    }

    fn sync(&mut self, devices: Vec<usize>) {
        let burst = std::mem::take(&mut self.burst);
        if !burst.is_empty() {
            self.beats.push(Beat::Burst(burst));
        }
        self.ledger.sync(&devices);
        self.beats.push(Beat::Sync(devices));
    }
}

fn all_fields(content: &Content, at_ms: i64) -> Fields {
    let mut fields = changed_fields(None, content, at_ms);
    // An import and a create name every field, also where it is as empty as its default.
    fields.entry("tag".to_owned()).or_insert_with(|| Value::from(content.tag.clone()));
    fields
}

fn changed_fields(before: Option<&Content>, after: &Content, at_ms: i64) -> Fields {
    let mut fields = Fields::new();
    let mut set = |name: &str, old: Option<&String>, new: &String| {
        if old != Some(new) {
            fields.insert(name.to_owned(), Value::from(new.clone()));
        }
    };
    set("title", before.map(|content| &content.title), &after.title);
    set("tag", before.map(|content| &content.tag), &after.tag);
    set("body", before.map(|content| &content.body), &after.body);
    fields.insert("updated_at".to_owned(), Value::from(at_ms));
    fields
}

impl Deal {
    /// Every write in the order it was dealt, with its device.
    pub fn writes(&self) -> impl Iterator<Item = (usize, &NoteWrite)> {
        self.beats
            .iter()
            .flat_map(|beat| match beat {
                Beat::Burst(steps) => steps.as_slice(),
                Beat::Sync(_) => &[],
            })
            .flat_map(|step| step.writes.iter().map(|write| (step.device, write)))
    }

    /// The notes two devices touched without knowing of each other.
    #[must_use]
    pub fn meetings(&self) -> usize {
        let mut by_note: BTreeMap<&str, Vec<WriteNo>> = BTreeMap::new();
        for (_, write) in self.writes() {
            by_note.entry(&write.id).or_default().push(write.number);
        }
        let met =
            |writes: &Vec<WriteNo>| writes.iter().any(|&a| writes.iter().any(|&b| a < b && self.ledger.apart(a, b)));
        by_note.values().filter(|writes| met(writes)).count()
    }

    /// The devices that were dealt anything.
    #[must_use]
    pub fn devices(&self) -> BTreeSet<usize> {
        self.writes().map(|(device, _)| device).collect()
    }
}
