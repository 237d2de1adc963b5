//! The files of a disk at one moment, as plain bytes: what a backup holds, or what a power loss left.

use crate::rng::{hash_bytes, mix};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files by name. Copying an image copies no bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DiskImage {
    files: BTreeMap<String, Arc<Vec<u8>>>,
}

impl DiskImage {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file on it, or replaces one.
    pub fn insert(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.files.insert(name.into(), Arc::new(bytes));
    }

    /// Removes a file.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// The bytes of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|bytes| bytes.as_slice())
    }

    /// Names and bytes, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// A hash over names and bytes, equal on every machine; of a write-ahead log without the salts that SQLite draws anew
    /// each time, and the checksums over them.
    pub fn hash(&self) -> u64 {
        self.iter().fold(0, |hash, (name, bytes)| {
            let file = if name.ends_with("-wal") { hash_log(bytes) } else { hash_bytes(bytes) };
            mix(mix(hash, hash_bytes(name.as_bytes())), file)
        })
    }
}

/// Page numbers, sizes of commits and pages, frame after frame.
fn hash_log(log: &[u8]) -> u64 {
    const HEADER: usize = 32;
    const FRAME: usize = 24;
    let page = log.get(8..12).and_then(|size| size.try_into().ok()).map_or(0, u32::from_be_bytes);
    let frames = log.get(HEADER..).unwrap_or_default().chunks(FRAME + page as usize);
    frames.fold(log.len() as u64, |hash, frame| {
        let (head, page) = frame.split_at(FRAME.min(frame.len()));
        mix(mix(hash, hash_bytes(&head[..head.len().min(8)])), hash_bytes(page))
    })
}

impl std::fmt::Debug for DiskImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, bytes)| (name, bytes.len()))).finish()
    }
}
