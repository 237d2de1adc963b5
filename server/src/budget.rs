//! A bound on the memory that bodies of all requests take together (I-58).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes all bodies together may take.
#[derive(Clone)]
pub(crate) struct Budget {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// Bytes taken from the budget; given back when it is dropped.
pub(crate) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self { taken: Arc::new(AtomicUsize::new(0)), max }
    }

    /// A share of nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Takes more; says `false`, and takes nothing, where it is not there. Nobody waits while holding a share, so
    /// requests cannot block each other.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.budget.max);
        let grown = self.budget.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_come_back() {
        let budget = Budget::new(100);
        let mut one = budget.share();
        let mut two = budget.share();
        assert!(one.grow(60) && !two.grow(60) && two.grow(40) && !one.grow(1));
        drop(two);
        assert!(one.grow(40));
        drop(one);
        assert_eq!(budget.taken.load(Ordering::Relaxed), 0);
    }
}
