//! Power loss: which names and bytes are found afterwards.

use crate::content::Content;
use crate::damage::{Damage, Fate};
use crate::image::DiskImage;
use crate::rng::Rng;
use crate::state::{State, StepView};
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    /// The files as they may be found after a power loss now. `damage` is drawn from the seed if not given.
    pub(crate) fn power_loss(&self, seed: u64, damage: Option<Damage>) -> DiskImage {
        let mut rng = Rng::new(seed);
        let files = self.inodes.values();
        let oldest = files
            .filter_map(|inode| inode.content.oldest_unsynced_step())
            .chain(self.name_changes.iter().map(|change| change.step))
            .min()
            .unwrap_or(self.steps);
        let drawn = Damage::draw(&mut rng, oldest, self.steps);
        let damage = damage.unwrap_or(drawn);
        let changed = self.name_changes.iter().map(|change| &change.name);
        let names: BTreeSet<&Arc<str>> = self.names.keys().chain(changed).collect();
        let mut image = DiskImage::new();
        for name in names {
            let fate = damage.of_file(self.power_safe, &mut rng);
            if let Some(inode) = self.surviving_name(name, &fate, &mut rng)
                && let Some(inode) = self.inodes.get(&inode)
            {
                let bytes = inode.content.after_power_loss(&fate, &mut rng);
                image.insert(name.to_string(), bytes);
            }
        }
        image
    }

    /// What a name stands for after the power loss: changes of one name keep their order.
    fn surviving_name(&self, name: &Arc<str>, fate: &Fate, rng: &mut Rng) -> Option<u32> {
        let changes = || self.name_changes.iter().filter(|change| change.name == *name);
        let steps: Vec<u64> = changes().map(|change| change.step).collect();
        match changes().nth(fate.state(&steps, rng)) {
            Some(undone) => undone.was,
            None => self.names.get(name).copied(),
        }
    }

    /// The files as programs see them now.
    pub(crate) fn visible(&self) -> DiskImage {
        let mut image = DiskImage::new();
        for (name, inode) in &self.names {
            if let Some(inode) = self.inodes.get(inode) {
                image.insert(name.to_string(), inode.content.bytes().to_vec());
            }
        }
        image
    }

    /// Puts these files on the disk, all of them durable.
    pub(crate) fn load(&mut self, image: &DiskImage) {
        self.clear();
        for (name, bytes) in image.iter() {
            let name: Arc<str> = Arc::from(name);
            let inode = self.add_file(name.clone(), Content::synced(bytes.to_vec()));
            self.names.insert(name, inode);
        }
    }

    pub(crate) fn unsynced_sectors(&self) -> usize {
        let files = self.inodes.values();
        files.map(|inode| inode.content.unsynced_sectors()).sum()
    }
}

impl StepView<'_> {
    /// The files as they may be found if the power goes just before this step.
    pub fn power_loss(&self, seed: u64) -> DiskImage {
        self.state.power_loss(seed, None)
    }

    /// The same with a damage of the caller's choice.
    pub fn power_loss_with(&self, damage: Damage, seed: u64) -> DiskImage {
        self.state.power_loss(seed, Some(damage))
    }

    /// The files as programs see them just before this step: what a killed process leaves behind.
    pub fn visible(&self) -> DiskImage {
        self.state.visible()
    }
}
