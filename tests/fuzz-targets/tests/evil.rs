//! A bounded share of scripts for the evil server, drawn by chance: what `make fuzz` searches without end (I-62).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use turnstone_fuzz_targets::TARGETS;

/// `EVIL_FROM` and `EVIL_RUNS` draw others, and more; `EVIL_SCRIPT` is one as it was printed.
#[test]
fn i_62_scripts_drawn_by_chance_lose_nothing_and_break_nothing() {
    let number = |name: &str, usual: u64| std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap());
    let from = number("EVIL_FROM", 1);
    let target = TARGETS.iter().find(|(name, _)| *name == "evil_server").unwrap().1;
    if let Ok(script) = std::env::var("EVIL_SCRIPT") {
        let bytes = script.split([',', ' ', '[', ']']).filter(|byte| !byte.is_empty());
        return target(&bytes.map(|byte| byte.parse().unwrap()).collect::<Vec<u8>>());
    }
    for seed in from..from + number("EVIL_RUNS", 60) {
        let script = draw(seed);
        println!("EVIL_FROM={seed} EVIL_RUNS=1: {script:?}");
        target(&script);
    }
}

/// Honest for a while, then any bytes, with the arms that lie well more often than by chance.
fn draw(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    let mut script = vec![0; usize::from(next() % 6)];
    for _ in 0..4 + next() % 60 {
        script.push(match next() % 4 {
            0 => 0,
            1 => 9 + next() % 4,
            _ => next(),
        });
    }
    script
}
