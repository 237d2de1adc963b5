//! What a loop found, as a line of a table and as one last line over all.

use std::fmt;

use serde_json::{Value as Json, json};

/// What one loop over one scenario found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// The accident.
    pub accident: &'static str,
    /// Steps of the disk in one undisturbed run.
    pub steps: u64,
    /// Disks that were examined.
    pub cases: u64,
    /// Worlds that were driven on to the end after the accident.
    pub resumed: u64,
    /// Calls that failed with an error, as they should.
    pub refused: u64,
    /// Cases in which acknowledged actions were missing (allowed for `Durability::Process` and power loss only).
    pub cases_with_loss: u64,
    /// The most acknowledged actions missing in one case.
    pub lost_max: usize,
    /// What must not be, each with what it takes to see it again.
    pub violations: Vec<String>,
}

impl Report {
    /// An empty report.
    pub fn new(scenario: &str, accident: &'static str) -> Self {
        Self { scenario: scenario.into(), accident, ..Self::default() }
    }

    /// Notes something that must not be. Only the first of many are kept in full.
    pub fn violation(&mut self, what: String) {
        if self.violations.len() < 200 {
            self.violations.push(what);
        }
    }

    /// Adds what another round of the same loop found.
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.cases += other.cases;
        self.resumed += other.resumed;
        self.refused += other.refused;
        self.cases_with_loss += other.cases_with_loss;
        self.lost_max = self.lost_max.max(other.lost_max);
        self.violations.extend(other.violations);
    }

    /// The same as JSON, for scripts.
    pub fn json(&self) -> Json {
        json!({
            "scenario": self.scenario, "accident": self.accident, "steps": self.steps, "cases": self.cases,
            "resumed": self.resumed, "refused": self.refused, "cases_with_loss": self.cases_with_loss,
            "lost_max": self.lost_max, "violations": self.violations,
        })
    }

    /// The heading of the table.
    pub fn heading() -> String {
        format!(
            "{:<22} {:<11} {:>7} {:>9} {:>8} {:>8} {:>10} {:>9} {:>10}",
            "scenario", "accident", "steps", "cases", "resumed", "refused", "with loss", "most lost", "violations"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<22} {:<11} {:>7} {:>9} {:>8} {:>8} {:>10} {:>9} {:>10}",
            self.scenario,
            self.accident,
            self.steps,
            self.cases,
            self.resumed,
            self.refused,
            self.cases_with_loss,
            self.lost_max,
            self.violations.len()
        )
    }
}

/// All loops of a run.
pub struct Summary<'a> {
    /// One for each scenario and accident.
    pub loops: &'a [Report],
    /// The seed of the first round.
    pub seed: u64,
    /// How many rounds, each with the next seed.
    pub rounds: u64,
    /// How long it took.
    pub seconds: u64,
}

impl Summary<'_> {
    /// Everything that must not be.
    pub fn violations(&self) -> usize {
        self.loops.iter().map(|r| r.violations.len()).sum()
    }

    fn cases(&self, accident: &str) -> u64 {
        self.loops.iter().filter(|r| r.accident.starts_with(accident)).map(|r| r.cases).sum()
    }

    /// The same as JSON, for scripts.
    pub fn json(&self) -> Json {
        json!({
            "runs": self.cases(""), "power_losses": self.cases("power loss"), "kills": self.cases("kill"),
            "violations": self.violations(), "seed": self.seed, "rounds": self.rounds, "seconds": self.seconds,
            "loops": self.loops.iter().map(Report::json).collect::<Vec<_>>(),
        })
    }
}

/// The last line: what a reader of a log looks for.
impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, lost, killed) = (self.cases(""), self.cases("power loss"), self.cases("kill"));
        let Self { seed, rounds, seconds, .. } = self;
        write!(
            f,
            "crash: {all} runs ({lost} power losses, {killed} kills, {} other faults), {} violations, \
             seed {seed}, {rounds} rounds, {seconds} s",
            all - lost - killed,
            self.violations(),
        )
    }
}
