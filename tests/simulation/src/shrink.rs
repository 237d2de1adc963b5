//! Makes a failing run short: removes ever smaller pieces, then two actions at once, while it still fails the same way.

/// Removes pieces of `actions` while `fails` holds, spending at most `tries` runs. What it gives back fails.
pub fn shrink<A: Clone>(actions: &[A], tries: usize, mut fails: impl FnMut(&[A]) -> bool) -> Vec<A> {
    let mut left = tries;
    let mut best = actions.to_vec();
    let mut piece = best.len() / 2;
    loop {
        best = pieces(best, piece.max(1), &mut left, &mut fails);
        match pair(&best, &mut left, &mut fails) {
            // Without the two, something else may be needless.
            Some(shorter) => (best, piece) = (shorter, 1),
            None => return best,
        }
    }
}

/// Removes what lies together.
fn pieces<A: Clone>(
    mut best: Vec<A>,
    mut piece: usize,
    left: &mut usize,
    fails: &mut impl FnMut(&[A]) -> bool,
) -> Vec<A> {
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < best.len() && *left > 0 {
            let mut shorter = best.clone();
            shorter.drain(at..(at + piece).min(best.len()));
            *left -= 1;
            if fails(&shorter) {
                best = shorter;
                removed = true;
            } else {
                at += piece;
            }
        }
        if *left == 0 || (piece == 1 && !removed) {
            return best;
        }
        if piece > 1 {
            piece /= 2;
        }
    }
}

/// The first two actions that can go together, though none can alone: what begins something, and what ends it.
fn pair<A: Clone>(best: &[A], left: &mut usize, fails: &mut impl FnMut(&[A]) -> bool) -> Option<Vec<A>> {
    for first in 0..best.len() {
        for second in first + 1..best.len() {
            *left = left.checked_sub(1)?;
            let mut shorter = best.to_vec();
            shorter.remove(second);
            shorter.remove(first);
            if fails(&shorter) {
                return Some(shorter);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(wanted: &'static [u32]) -> impl Fn(&[u32]) -> bool {
        move |actions| wanted.iter().all(|one| actions.contains(one))
    }

    #[test]
    fn only_what_is_needed_stays_in_its_order() {
        let actions: Vec<u32> = (0..300).collect();
        for wanted in [&[][..], &[0], &[299], &[3, 17, 170], &[148, 149, 150, 151]] {
            assert_eq!(shrink(&actions, 10_000, needs(wanted)), wanted, "{wanted:?}");
        }
    }

    /// What only fails beside another action: each pass makes the next one possible.
    #[test]
    fn what_can_only_go_after_something_else_goes_too() {
        let actions: Vec<u32> = (0..32).collect();
        let fails = |left: &[u32]| left.contains(&7) && left.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        assert_eq!(shrink(&actions, 10_000, fails), [7]);
    }

    /// A network that is cut and heals: one without the other is another run.
    #[test]
    fn what_goes_only_together_goes_though_it_lies_apart() {
        let actions: Vec<u32> = (0..40).collect();
        let together = |left: &[u32], a, b| left.contains(&a) == left.contains(&b);
        let fails = |left: &[u32]| left.contains(&20) && together(left, 3, 37) && together(left, 11, 30);
        assert_eq!(shrink(&actions, 10_000, fails), [20]);
    }

    #[test]
    fn it_ends_after_so_many_tries_with_a_run_that_fails() {
        let actions: Vec<u32> = (0..300).collect();
        for tries in [0, 1, 2, 9, 40] {
            let mut spent = 0;
            let short = shrink(&actions, tries, |left| {
                spent += 1;
                needs(&[3, 170])(left)
            });
            assert!(spent <= tries && needs(&[3, 170])(&short), "{tries}");
        }
    }

    #[test]
    fn a_run_of_one_action_or_none_is_as_short_as_it_gets() {
        assert_eq!(shrink(&[5], 100, needs(&[5])), [5]);
        assert_eq!(shrink(&[] as &[u32], 100, |_| true), Vec::<u32>::new());
    }
}
