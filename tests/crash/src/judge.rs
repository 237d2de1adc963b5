//! Compares what was found with the history of the run.

use std::collections::HashMap;

use crate::examine::{Examined, Found};
use crate::report::Report;
use crate::scenario::Scenario;

/// The committed states of the run, in order.
#[derive(Default)]
struct History {
    place: HashMap<u64, usize>,
    newest: Option<u64>,
    /// For each count of acknowledged actions, the state that they had made.
    made: Vec<usize>,
}

impl History {
    /// Notes the state after a kill. False: it had been left for another one before.
    fn note(&mut self, state: u64, acked: usize) -> bool {
        let mut forward = true;
        if self.newest != Some(state) {
            forward = !self.place.contains_key(&state);
            self.place.insert(state, self.place.len());
            self.newest = Some(state);
        }
        let newest = self.place.len() - 1;
        self.made.resize(self.made.len().max(acked + 1), newest);
        forward
    }

    /// How many of so many acknowledged actions are missing in a state.
    fn lost(&self, acked: usize, state: usize) -> usize {
        let made = self.made.iter().take(acked + 1);
        made.filter(|needed| **needed > state).count()
    }
}

pub(crate) fn judge(scenario: &dyn Scenario, examined: &[Examined], end: &str, power: &mut Report, kill: &mut Report) {
    let mut history = History::default();
    let mut newest = Vec::new();
    for moment in examined {
        let case = moment.case(&moment.killed);
        kill.cases += 1;
        match &moment.killed.state {
            Ok(state) if history.note(*state, moment.acked) => {}
            Ok(_) => kill.violation(format!("{case}: an older state came back")),
            Err(failure) => kill.violation(format!("{case}: {failure}")),
        }
        newest.push(history.place.len().saturating_sub(1));
        judge_end(&case, &moment.killed, end, kill);
    }
    for (moment, newest) in examined.iter().zip(newest) {
        for found in &moment.damaged {
            let case = moment.case(found);
            power.cases += 1;
            judge_end(&case, found, end, power);
            let state = match &found.state {
                Ok(state) => history.place.get(state).copied(),
                Err(failure) => {
                    power.violation(format!("{case}: {failure}"));
                    continue;
                }
            };
            // The commit that was under way may have made it, and nothing beyond.
            let Some(state) = state.filter(|state| *state <= newest + 1) else {
                power.violation(format!("{case}: a state that never was committed"));
                continue;
            };
            let lost = history.lost(moment.acked, state);
            power.lost_max = power.lost_max.max(lost);
            power.cases_with_loss += u64::from(lost > 0);
            if lost > 0 && scenario.durable() {
                power.violation(format!("{case}: {lost} acknowledged actions are missing"));
            }
        }
    }
}

fn judge_end(case: &str, found: &Found, end: &str, report: &mut Report) {
    match &found.end {
        None => return,
        Some(Ok(seen)) if seen == end || !found.same_end => {}
        Some(Ok(_)) => report.violation(format!("{case}: driven on, it ends otherwise than undisturbed")),
        Some(Err(failure)) => report.violation(format!("{case}: cannot be driven on: {failure}")),
    }
    report.resumed += 1;
}
