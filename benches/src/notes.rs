//! The note used everywhere: 100,000 of them from a seed, or the real ones of a folder.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;

/// The schema both sides keep notes in.
pub(crate) const SCHEMA: &str = r#"
name = "notes"
version = 1

[tables.notes.fields]
title = { type = "text", default = "" }
body = { type = "text", default = "" }
updated_at = { type = "timestamp", default = 0 }
pinned = { type = "boolean", default = false }
tag = { type = "text", default = "" }

[[tables.notes.indexes]]
name = "notes_by_pinned"
fields = ["pinned", "updated_at"]
"#;

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) updated_at: i64,
    #[serde(default)]
    pub(crate) pinned: bool,
    pub(crate) tag: String,
}

/// Where notes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Generated,
    Real,
}

/// `count` notes in the order of their ids. There are fewer where the real ones run out.
pub(crate) fn notes(source: Source, count: usize, data: &Path) -> Result<Vec<Note>> {
    match source {
        Source::Generated => Ok(generated(count)),
        Source::Real => real(count, data),
    }
}

const SEED: u64 = 0x7475_726e_7374_6f6e;
const FIRST_MS: u64 = 1_750_000_000_000;

fn generated(count: usize) -> Vec<Note> {
    let mut rng = fastrand::Rng::with_seed(SEED);
    (0..count as u64).map(|number| note(&mut rng, number)).collect()
}

fn note(rng: &mut fastrand::Rng, number: u64) -> Note {
    let ms = FIRST_MS + number * 1_000 + rng.u64(0..1_000);
    Note {
        id: row_id(ms, rng),
        title: title(rng),
        body: body(rng),
        updated_at: i64::try_from(ms).unwrap_or(0) + rng.i64(0..86_400_000),
        pinned: rng.u8(0..20) == 0,
        tag: TAGS[rng.usize(0..TAGS.len())].to_owned(),
    }
}

/// A UUIDv7 of a given time.
pub(crate) fn row_id(ms: u64, rng: &mut fastrand::Rng) -> String {
    let random = rng.u128(..).to_be_bytes();
    let mut tail = [0; 10];
    tail.copy_from_slice(&random[..10]);
    uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid().to_string()
}

/// About 40 characters.
fn title(rng: &mut fastrand::Rng) -> String {
    let mut text = capital(word(rng));
    while text.len() < 36 {
        text.push(' ');
        text.push_str(word(rng));
    }
    text
}

/// About 400 characters: sentences of plausible words, now and then a number or a new line.
fn body(rng: &mut fastrand::Rng) -> String {
    let length = rng.usize(300..500);
    let mut text = String::with_capacity(length + 80);
    while text.len() < length {
        if !text.is_empty() {
            text.push_str(if rng.u8(0..5) == 0 { "\n" } else { " " });
        }
        text.push_str(&capital(word(rng)));
        for _ in 0..rng.usize(4..14) {
            text.push(' ');
            if rng.u8(0..25) == 0 {
                text.push_str(&rng.u16(1..2_000).to_string());
            } else {
                text.push_str(word(rng));
            }
        }
        text.push('.');
    }
    text
}

/// A word by its rank: the frequent ones often, the rare ones seldom, as in any language.
fn word(rng: &mut fastrand::Rng) -> &'static str {
    let skewed = rng.f64().powf(2.2) * WORDS.len() as f64;
    WORDS[(skewed as usize).min(WORDS.len() - 1)]
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn real(count: usize, data: &Path) -> Result<Vec<Note>> {
    let packed = std::fs::read(data.join("notes.jsonl.gz"))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text)?;
    let mut notes = text.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Note>, _>>()?;
    notes.truncate(count);
    let mut rng = fastrand::Rng::with_seed(SEED);
    for (number, note) in notes.iter_mut().enumerate() {
        // The same kind of id and the same share of pinned notes in both columns.
        note.id = row_id(FIRST_MS + number as u64 * 1_000, &mut rng);
        note.updated_at *= 1_000;
        note.pinned = rng.u8(0..20) == 0;
    }
    Ok(notes)
}

const TAGS: [&str; 8] = ["home", "work", "ideas", "travel", "recipes", "health", "reading", "garden"];

#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "the", "of", "and", "to", "a", "in", "is", "it", "for", "on", "that", "with", "was", "as", "at", "by", "we", "be",
    "from", "this", "have", "are", "or", "not", "but", "had", "they", "you", "his", "her", "all", "she", "there", "will",
    "one", "more", "when", "who", "so", "out", "up", "about", "them", "some", "can", "time", "into", "only", "could",
    "new", "then", "no", "do", "people", "my", "made", "over", "did", "down", "way", "first", "after", "before", "two",
    "water", "long", "little", "very", "day", "know", "house", "work", "back", "year", "good", "where", "every", "place",
    "morning", "evening", "bring", "under", "small", "large", "never", "always", "again", "right", "left", "think", "still",
    "between", "call", "write", "read", "list", "note", "ask", "train", "station", "ticket", "meeting", "project", "plan",
    "draft", "letter", "office", "window", "garden", "kitchen", "bread", "butter", "coffee", "sugar", "salt", "pepper",
    "onion", "garlic", "tomato", "cheese", "river", "mountain", "bridge", "street", "corner", "market", "doctor", "school",
    "teacher", "music", "concert", "library", "book", "chapter", "page", "paper", "pencil", "camera", "picture", "colour",
    "yellow", "green", "orange", "silver", "winter", "spring", "summer", "autumn", "january", "march", "october", "friday",
    "monday", "sunday", "birthday", "present", "family", "mother", "father", "sister", "brother", "friend", "neighbour",
    "children", "cousin", "holiday", "journey", "airport", "luggage", "passport", "hotel", "island", "harbour", "boat",
    "weather", "thunder", "snow", "cloud", "measure", "quarter", "half", "double", "budget", "invoice", "payment",
    "receipt", "account", "savings", "insurance", "contract", "deadline", "review", "release", "version", "feature",
    "problem", "answer", "question", "reason", "example", "result", "design", "sketch", "pattern", "material", "wooden",
    "copper", "plaster", "hammer", "screw", "ladder", "paint", "brush", "carpet", "curtain", "mirror", "lamp", "candle",
    "bicycle", "engine", "battery", "charger", "cable", "keyboard", "screen", "printer", "password", "backup", "server",
    "exercise", "breathing", "sleep", "medicine", "appointment", "dentist", "vitamin", "running", "swimming", "walking",
    "philosophy", "architecture", "astronomy", "chemistry", "grammar", "vocabulary", "translation", "conversation",
    "lavender", "rosemary", "seedling", "greenhouse", "wheelbarrow", "fertiliser", "harvest", "orchard", "blossom",
];
