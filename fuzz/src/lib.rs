//! Finds a target by its name. The targets themselves are in `tests/fuzz-targets`.

/// Runs one input.
///
/// # Panics
/// Where a promise does not hold, and if there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = turnstone_fuzz_targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(data);
}
