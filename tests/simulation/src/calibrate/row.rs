//! A row of the table: what the search made of one bug.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Default)]
pub(super) struct Row {
    /// The bug; empty: none is planted.
    pub(super) name: String,
    what: &'static str,
    pub(super) seeds: u64,
    found_at: Vec<u64>,
    seen: BTreeMap<String, u64>,
}

impl Row {
    pub(super) fn new(name: &str, what: &'static str) -> Self {
        Self { name: name.to_owned(), what, ..Self::default() }
    }

    pub(super) const fn finds(&self) -> usize {
        self.found_at.len()
    }

    /// One more seed, and what was seen in it.
    pub(super) fn take(&mut self, seen: Option<&str>) {
        self.seeds += 1;
        if let Some(seen) = seen {
            self.found_at.push(self.seeds);
            *self.seen.entry(seen.to_owned()).or_default() += 1;
        }
    }

    /// What is not good enough about it.
    pub(super) fn fault(&self, median_max: u64) -> Option<String> {
        match self.median() {
            None => Some(format!("{} is not found in {} seeds", self.name, self.seeds)),
            Some(median) if median > median_max => {
                Some(format!("{} has a median of {median} seeds, above {median_max}", self.name))
            }
            Some(_) => None,
        }
    }

    /// The middle one of the seeds from one find to the next.
    fn median(&self) -> Option<u64> {
        let before = std::iter::once(0).chain(self.found_at.iter().copied());
        let mut waits: Vec<u64> = self.found_at.iter().zip(before).map(|(at, before)| at - before).collect();
        waits.sort_unstable();
        waits.get(waits.len() / 2).copied()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "none".to_owned() } else { format!("`{}`", self.name) };
        write!(f, "| {name} | {} | {} of {} | ", self.what, self.finds(), self.seeds)?;
        let Some(median) = self.median() else { return write!(f, "- | 0 % | - | - | - |") };
        // Seeds are taken in order, from 1.
        write!(f, "{} | ", self.found_at.first().copied().unwrap_or_default())?;
        let share = self.finds() as f64 / self.seeds as f64;
        let surely = if share < 1.0 { (0.05_f64.ln() / (1.0 - share).ln()).ceil() } else { 1.0 };
        let seen: Vec<&str> = self.seen.keys().map(String::as_str).collect();
        write!(f, "{:.1} % | {surely:.0} | {median} | {} |", share * 100.0, seen.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(found_at: &[u64], seeds: u64) -> Row {
        let mut row = Row::new("NoDedupe", "decides again");
        for seed in 1..=seeds {
            row.take(found_at.contains(&seed).then_some("I-09"));
        }
        row
    }

    #[test]
    fn the_median_is_of_the_seeds_from_one_find_to_the_next() {
        assert_eq!(row(&[1, 4, 40], 40).median(), Some(3));
        assert_eq!(row(&[21, 42, 63], 70).fault(20).as_deref(), Some("NoDedupe has a median of 21 seeds, above 20"));
        assert_eq!(row(&[20, 40, 60], 70).fault(20), None);
        assert_eq!(row(&[], 2_000).fault(20).as_deref(), Some("NoDedupe is not found in 2000 seeds"));
    }

    #[test]
    fn a_row_reads_as_the_table_in_the_docs() {
        let text = row(&[1, 4], 8).to_string();
        assert_eq!(text, "| `NoDedupe` | decides again | 2 of 8 | 1 | 25.0 % | 11 | 3 | I-09 |");
        assert_eq!(
            Row::new("", "nothing is planted").to_string(),
            "| none | nothing is planted | 0 of 0 | - | 0 % | - | - | - |"
        );
    }
}
