//! What a verifier found: which rule is broken, and by what.

use std::fmt;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    /// The name of the rule. The tests name the same ones.
    pub(crate) rule: &'static str,
    /// What was found, for a person.
    pub(crate) found: String,
}

impl Breach {
    pub(crate) fn new(rule: &'static str, found: impl fmt::Display) -> Self {
        Self { rule, found: found.to_string() }
    }

    /// The same, with the place where it was found.
    pub(crate) fn inside(self, place: impl fmt::Display) -> Self {
        Self { rule: self.rule, found: format!("{place}: {}", self.found) }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.found)
    }
}

/// The rules that were broken, each once.
#[cfg(test)]
pub(crate) fn rules(breaches: &[Breach]) -> Vec<&'static str> {
    let mut rules: Vec<_> = breaches.iter().map(|breach| breach.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}
