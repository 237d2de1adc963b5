//! A run written down: the actions that once broke a promise, kept so that they never do again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::run::{self, Look, Outcome};
use crate::swarm::Swarm;

/// A run in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trace {
    /// What it once showed.
    pub why: String,
    /// The seed of its world.
    pub seed: u64,
    /// The weather.
    pub swarm: Swarm,
    /// How closely it is looked at.
    #[serde(default)]
    pub looks: Look,
    /// What happens.
    pub actions: Vec<Action>,
}

impl Trace {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn load(file: impl AsRef<Path>) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// Writes one, an action a line.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<(), String> {
        let json = |value: serde_json::Result<String>| value.map_err(|error| error.to_string());
        let actions: Vec<String> =
            self.actions.iter().map(|action| json(serde_json::to_string(action))).collect::<Result<_, _>>()?;
        let text = format!(
            "{{\"why\":{},\n\"seed\":{},\n\"swarm\":{},\n\"looks\":{},\n\"actions\":[\n{}\n]}}\n",
            json(serde_json::to_string(&self.why))?,
            self.seed,
            json(serde_json::to_string(&self.swarm))?,
            json(serde_json::to_string(&self.looks))?,
            actions.join(",\n")
        );
        std::fs::write(file, text).map_err(|error| error.to_string())
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        run::looked_at(self.seed, &self.swarm, &self.actions, self.looks)
    }
}
