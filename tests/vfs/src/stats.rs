//! What was asked of a file: the figures that a test of I/O cost compares.

/// Calls and bytes since the disk was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStats {
    /// Reads.
    pub reads: u64,
    /// Bytes asked for by reads.
    pub read_bytes: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes given to writes.
    pub written_bytes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Changes of size.
    pub truncates: u64,
}

impl FileStats {
    /// Adds the figures of another file.
    pub fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.read_bytes += other.read_bytes;
        self.writes += other.writes;
        self.written_bytes += other.written_bytes;
        self.syncs += other.syncs;
        self.truncates += other.truncates;
    }
}
