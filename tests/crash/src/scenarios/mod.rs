//! The workloads.

pub mod bare;
mod client;
pub mod migration;
pub mod server;
pub mod sync;
pub mod upgrade;
pub mod writes;

use turnstone::Durability::{Power, Process};

use crate::scenario::Scenario;

/// Every scenario that must come through; the seed varies its values.
#[must_use]
pub fn all(seed: u64) -> Vec<Box<dyn Scenario>> {
    use sync::Victim;
    vec![
        Box::new(writes::Writes { durability: Power, seed }),
        Box::new(writes::Writes { durability: Process, seed }),
        Box::new(server::Pushes { seed }),
        Box::new(sync::Syncs { victim: Victim::Client, durability: Power, seed }),
        Box::new(sync::Syncs { victim: Victim::Client, durability: Process, seed }),
        Box::new(sync::Syncs { victim: Victim::Server, durability: Power, seed }),
        Box::new(migration::Migration { whose: migration::Whose::Client, seed }),
        Box::new(migration::Migration { whose: migration::Whose::Server, seed }),
        Box::new(upgrade::Upgrade { seed }),
    ]
}
