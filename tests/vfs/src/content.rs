//! The bytes of one file, twice: as programs see them now, and as much of the past as a
//! power loss could bring back.
//!
//! A write goes to the visible bytes at once. Before it changes a 512-byte sector, the sector as
//! it was is kept; a successful sync forgets what was kept. So at any moment a sector may be found,
//! after power loss, as it is now or as it was before any write since the last sync. The kept
//! sectors live in one arena whose room is reused: in the steady state a write allocates nothing.

use crate::damage::Fate;
use crate::rng::Rng;

pub(crate) const SECTOR: usize = 512;

/// Older states kept per sector between two syncs; further writes merge into the newest.
const VERSIONS_MAX: u8 = 6;
/// File sizes kept between two syncs.
const SIZES_MAX: usize = 32;
/// `PreImage::at` of a sector that did not exist before: it reads as zeros.
const BLANK: u32 = u32::MAX;
/// Set in `newest` when a failed sync left the sector in doubt for good.
const LIMBO: u32 = 1 << 31;

/// A sector as it was before a write, and which bytes that write touched.
#[derive(Clone, Debug)]
struct PreImage {
    /// Number (index + 1) of the next older one of the same sector, 0 for none.
    older: u32,
    at: u32,
    lo: u16,
    hi: u16,
    depth: u8,
    step: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    /// Size at the last sync, then the earlier sizes since, each with the step that ended it.
    synced_len: u64,
    sizes: Vec<(u64, u64)>,
    /// Per sector: number (index + 1) of its newest pre-image, 0 when it is as synced.
    newest: Vec<u32>,
    dirty: Vec<u32>,
    limbo: Vec<u32>,
    images: Vec<PreImage>,
    arena: Vec<u8>,
}

impl Content {
    /// A file whose bytes are on the disk already.
    pub(crate) fn synced(bytes: Vec<u8>) -> Self {
        Self { synced_len: bytes.len() as u64, bytes, ..Self::default() }
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Copies into `buf` and gives how many bytes there were; the rest of `buf` is zeroed.
    pub(crate) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let got = buf.len().min(self.bytes.len() - from);
        buf[..got].copy_from_slice(&self.bytes[from..from + got]);
        buf[got..].fill(0);
        got
    }

    pub(crate) fn write(&mut self, data: &[u8], offset: u64, step: u64) {
        let from = offset as usize;
        let end = from + data.len();
        if data.is_empty() {
            return;
        }
        if from > self.bytes.len() {
            self.keep(self.bytes.len(), from, step); // the hole in between becomes zeros
        }
        self.keep(from, end, step);
        if end > self.bytes.len() {
            self.note_size(step);
            let overlap = self.bytes.len().saturating_sub(from);
            if from >= self.bytes.len() {
                self.bytes.resize(from, 0);
            } else {
                self.bytes[from..].copy_from_slice(&data[..overlap]);
            }
            self.bytes.extend_from_slice(&data[overlap..]);
        } else {
            self.bytes[from..end].copy_from_slice(data);
        }
    }

    pub(crate) fn truncate(&mut self, len: u64, step: u64) {
        let len = len as usize;
        if len == self.bytes.len() {
            return;
        }
        self.keep(len.min(self.bytes.len()), len.max(self.bytes.len()), step);
        self.note_size(step);
        self.bytes.resize(len, 0);
    }

    /// Everything written so far is on the disk now, except what a failed sync left in doubt.
    pub(crate) fn sync(&mut self) {
        for &sector in &self.dirty {
            if self.newest[sector as usize] & LIMBO == 0 {
                self.newest[sector as usize] = 0;
            }
        }
        self.dirty.clear();
        self.synced_len = self.bytes.len() as u64;
        self.sizes.clear();
        let newest = &self.newest;
        self.limbo.retain(|&s| newest[s as usize] & LIMBO != 0);
        if self.limbo.is_empty() {
            self.images.clear();
            self.arena.clear();
        }
    }

    /// A sync that failed: the system drops its intention to write these sectors, so that a later
    /// sync reports success without them ("fsyncgate"). Only writing them again helps.
    pub(crate) fn sync_failed(&mut self) {
        for sector in self.dirty.drain(..) {
            self.newest[sector as usize] |= LIMBO;
            self.limbo.push(sector);
        }
    }

    /// Sectors that a power loss may change.
    pub(crate) fn unsynced_sectors(&self) -> usize {
        self.dirty.len() + self.limbo.len()
    }

    /// The first step whose effect a power loss may undo.
    pub(crate) fn oldest_unsynced_step(&self) -> Option<u64> {
        let images = self.images.iter().map(|i| i.step);
        images.chain(self.sizes.iter().map(|s| s.0)).min()
    }

    /// The file as it may be found after power loss.
    pub(crate) fn after_power_loss(&self, fate: &Fate, rng: &mut Rng) -> Vec<u8> {
        let len = fate.size(self.synced_len, &self.sizes, self.bytes.len() as u64, rng) as usize;
        let mut out = self.bytes.clone();
        out.resize(len, 0);
        let mut layers = Vec::new();
        for &sector in self.dirty.iter().chain(&self.limbo) {
            let start = sector as usize * SECTOR;
            if start >= len || self.newest[sector as usize] == 0 {
                continue;
            }
            self.layers(sector, &mut layers);
            let chosen = fate.sector(&layers, rng);
            let room = SECTOR.min(len - start);
            out[start..start + room].copy_from_slice(&chosen[..room]);
        }
        out
    }

    /// The states of one sector, newest first.
    fn layers(&self, sector: u32, layers: &mut Vec<Layer>) {
        layers.clear();
        let mut now = [0u8; SECTOR];
        self.read(&mut now, u64::from(sector) * SECTOR as u64);
        let mut state = now;
        let mut number = self.newest[sector as usize] & !LIMBO;
        while number != 0 {
            let image = &self.images[number as usize - 1];
            layers.push(Layer { state, lo: image.lo.into(), hi: image.hi.into(), step: image.step });
            state = [0u8; SECTOR];
            if image.at != BLANK {
                let at = image.at as usize;
                state.copy_from_slice(&self.arena[at..at + SECTOR]);
            }
            number = image.older;
        }
        layers.push(Layer { state, lo: 0, hi: 0, step: 0 });
    }

    fn note_size(&mut self, step: u64) {
        if self.sizes.len() < SIZES_MAX {
            self.sizes.push((step, self.bytes.len() as u64));
        }
    }

    /// Keeps the sectors that a change of `from..end` touches, as they are.
    fn keep(&mut self, from: usize, end: usize, step: u64) {
        let last = end.div_ceil(SECTOR);
        if self.newest.len() < last {
            self.newest.resize(last, 0);
        }
        for sector in from / SECTOR..last {
            let start = sector * SECTOR;
            let lo = from.max(start) - start;
            let hi = end.min(start + SECTOR) - start;
            self.keep_sector(sector, (lo as u16, hi as u16), step);
        }
    }

    fn keep_sector(&mut self, sector: usize, (lo, hi): (u16, u16), step: u64) {
        let slot = self.newest[sector];
        let older = slot & !LIMBO;
        if slot == 0 || slot & LIMBO != 0 {
            self.dirty.push(sector as u32);
        }
        let mut depth = 0;
        if older != 0 {
            let newest = &mut self.images[older as usize - 1];
            depth = newest.depth + 1;
            if depth >= VERSIONS_MAX {
                newest.lo = newest.lo.min(lo);
                newest.hi = newest.hi.max(hi);
                newest.step = step;
                self.newest[sector] = older;
                return;
            }
        }
        let start = sector * SECTOR;
        let at = if start >= self.bytes.len() {
            BLANK
        } else {
            let at = self.arena.len();
            let end = (start + SECTOR).min(self.bytes.len());
            self.arena.extend_from_slice(&self.bytes[start..end]);
            self.arena.resize(at + SECTOR, 0);
            at as u32
        };
        self.images.push(PreImage { older, at, lo, hi, depth, step });
        self.newest[sector] = self.images.len() as u32;
    }
}

/// One state of a sector: its bytes, and what the write that made it touched (`lo..hi`).
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) state: [u8; SECTOR],
    pub(crate) lo: usize,
    pub(crate) hi: usize,
    pub(crate) step: u64,
}

#[cfg(test)]
mod tests;
