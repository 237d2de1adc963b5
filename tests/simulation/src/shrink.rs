//! Makes a failing run short: removes ever smaller pieces while it still fails the same way.

use crate::action::Action;

/// Removes pieces of `actions` while `fails` holds, spending at most `tries` runs.
pub fn shrink(actions: &[Action], tries: usize, mut fails: impl FnMut(&[Action]) -> bool) -> Vec<Action> {
    let mut best = actions.to_vec();
    let mut left = tries;
    let mut piece = (best.len() / 2).max(1);
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < best.len() && left > 0 {
            let mut shorter = best.clone();
            shorter.drain(at..(at + piece).min(best.len()));
            left -= 1;
            if fails(&shorter) {
                best = shorter;
                removed = true;
            } else {
                at += piece;
            }
        }
        if left == 0 || (piece == 1 && !removed) {
            return best;
        }
        if piece > 1 {
            piece /= 2;
        }
    }
}
