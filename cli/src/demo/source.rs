//! Where the demo's notes and edits come from: real files, or a generated set of the same shape.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::failure::Failure;
use crate::import::{self, Imported, lines};

/// One commit of the history: its rows belong together and become one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealCommit {
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it changed, each note at most once.
    pub edits: Vec<Edit>,
}

/// What a commit did to one note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The note.
    pub id: String,
    /// The change.
    pub change: Change,
}

/// A change of a note: what it says afterwards.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// The note is made.
    Create(Content),
    /// The note is changed to this.
    Update(Content),
    /// The note is deleted.
    Delete,
}

/// The words of a note.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The title.
    pub title: String,
    /// The tag.
    pub tag: String,
    /// The body.
    pub body: String,
}

/// Shows the kind of a change and never its content.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create(_) => "Create",
            Self::Update(_) => "Update",
            Self::Delete => "Delete",
        })
    }
}

/// The notes as they stand at the beginning, and the commits that follow.
#[derive(Debug, Clone)]
pub struct Source {
    /// The notes at the beginning.
    pub notes: Vec<Imported>,
    /// The commits, oldest first.
    pub commits: Vec<RealCommit>,
    /// Where they come from, for the story.
    pub origin: String,
}

#[derive(Deserialize)]
struct Line {
    commit: String,
    at: i64,
    op: Kind,
    id: String,
    title: Option<String>,
    tag: Option<String>,
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Create,
    Update,
    Delete,
}

/// Reads real notes and edits.
///
/// # Errors
/// A [`Failure`] that names the file and line.
pub fn read(notes: &Path, edits: &Path) -> Result<Source, Failure> {
    let origin = format!("real notes from {}, real edits from {}", notes.display(), edits.display());
    let notes = import::read(notes)?;
    let mut commits: Vec<RealCommit> = Vec::new();
    let mut last = String::new();
    lines(edits, |_, line: Line| {
        let content = Content {
            title: line.title.unwrap_or_default(),
            tag: line.tag.unwrap_or_default(),
            body: line.body.unwrap_or_default(),
        };
        let change = match line.op {
            Kind::Create => Change::Create(content),
            Kind::Update => Change::Update(content),
            Kind::Delete => Change::Delete,
        };
        let edit = Edit { id: line.id, change };
        match commits.last_mut() {
            Some(commit) if last == line.commit => commit.edits.push(edit),
            _ => commits.push(RealCommit { at_ms: line.at.saturating_mul(1000), edits: vec![edit] }),
        }
        last = line.commit;
    })?;
    Ok(Source { notes, commits, origin })
}

const WORDS: [&str; 24] = [
    "apple", "bread", "call", "draft", "engine", "ferry", "garden", "harbour", "idea", "journey", "kettle", "letter",
    "meeting", "north", "order", "paint", "quiet", "recipe", "station", "ticket", "umbrella", "visit", "window",
    "yard",
];
const TAGS: [&str; 6] = ["home", "work", "travel", "garden", "books", "ideas"];
/// The time at which generated notes begin.
const BEGIN_MS: i64 = 1_700_000_000_000;

/// Makes notes and commits of the shape real ones have: mostly one body changed, sometimes a batch, some
/// notes made and a few deleted.
#[must_use]
pub fn generate(seed: u64, notes: usize, commits: usize) -> Source {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut live: BTreeMap<String, Content> = BTreeMap::new();
    let mut imported = Vec::with_capacity(notes);
    for n in 0..notes {
        let (id, content) = (id(&mut rng), invent(&mut rng));
        imported.push(Imported {
            id: id.clone(),
            title: content.title.clone(),
            tag: Some(content.tag.clone()),
            body: Some(content.body.clone()),
            pinned: None,
            updated_at_ms: Some(BEGIN_MS - i64::try_from(n).unwrap_or_default() * 60_000),
        });
        live.insert(id, content);
    }
    let made = (0..commits)
        .map(|n| RealCommit {
            at_ms: BEGIN_MS + i64::try_from(n).unwrap_or_default() * 60_000,
            edits: commit(&mut rng, &mut live),
        })
        .collect();
    let origin = format!("generated notes and edits (seed {seed})");
    Source { notes: imported, commits: made, origin }
}

fn commit(rng: &mut fastrand::Rng, live: &mut BTreeMap<String, Content>) -> Vec<Edit> {
    let size = if rng.u8(..4) == 0 { rng.usize(2..12) } else { 1 };
    let mut edits: Vec<Edit> = Vec::with_capacity(size);
    for _ in 0..size {
        // A commit names each note at most once.
        let untouched = |id: &&String| edits.iter().all(|edit| edit.id != **id);
        let some = live.keys().nth(rng.usize(..live.len().max(1))).filter(untouched).cloned();
        let kind = rng.u8(..100);
        let edit = match some {
            Some(id) if kind < 78 => {
                let mut content = live.get(&id).cloned().unwrap_or_else(|| invent(rng));
                content.body = format!("{}\n{}", content.body, sentence(rng));
                live.insert(id.clone(), content.clone());
                Edit { id, change: Change::Update(content) }
            }
            Some(id) if kind < 80 => {
                live.remove(&id);
                Edit { id, change: Change::Delete }
            }
            _ => {
                let (id, content) = (id(rng), invent(rng));
                live.insert(id.clone(), content.clone());
                Edit { id, change: Change::Create(content) }
            }
        };
        edits.push(edit);
    }
    edits
}

fn id(rng: &mut fastrand::Rng) -> String {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid().to_string()
}

fn invent(rng: &mut fastrand::Rng) -> Content {
    let title = format!("{} {}", word(rng), word(rng));
    let tag = rng.choice(TAGS).unwrap_or_default().to_owned();
    let body = (0..rng.usize(2..8)).map(|_| sentence(rng)).collect::<Vec<_>>().join("\n");
    Content { title, tag, body }
}

fn sentence(rng: &mut fastrand::Rng) -> String {
    let words: Vec<&str> = (0..rng.usize(6..14)).map(|_| word(rng)).collect();
    format!("{}.", words.join(" "))
}

fn word(rng: &mut fastrand::Rng) -> &'static str {
    rng.choice(WORDS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_generated_history_is_consistent_and_repeatable() {
        let source = generate(3, 200, 400);
        let again = generate(3, 200, 400);
        assert_eq!(source.notes, again.notes);
        assert_eq!(source.commits, again.commits);
        let mut live: BTreeSet<&str> = source.notes.iter().map(|note| note.id.as_str()).collect();
        for edit in source.commits.iter().flat_map(|commit| &commit.edits) {
            match edit.change {
                Change::Create(_) => assert!(live.insert(&edit.id)),
                Change::Update(_) => assert!(live.contains(edit.id.as_str())),
                Change::Delete => assert!(live.remove(edit.id.as_str())),
            }
        }
    }
}
