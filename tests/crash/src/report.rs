//! What a loop found, as a line of a table and as one last line over all.

use std::fmt;

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

/// The last line: what a reader of a log looks for.
pub fn summary(reports: &[Report], seed: u64, seconds: u64) -> String {
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let violations: usize = reports.iter().map(|r| r.violations.len()).sum();
    format!(
        "crash: {} loops, {} cases, {} resumed, {violations} violations, seed {seed}, {seconds} s",
        reports.len(),
        sum(|r| r.cases),
        sum(|r| r.resumed),
    )
}
