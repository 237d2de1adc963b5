//! What may be found after power loss, against plain models.

use super::*;
use crate::damage::Damage;

const LOST: Damage = Damage::Lost;
const KEPT: Damage = Damage::Kept;

fn after(content: &Content, damage: Damage, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    content.after_power_loss(&damage.of_file(true, &mut rng), &mut rng)
}

/// Random writes, truncates and syncs beside the plainest model: the bytes now, the bytes as
/// synced, and the bytes after every step since.
#[test]
fn power_loss_agrees_with_a_plain_model_of_every_step() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut content = Content::default();
        let mut history: Vec<(u64, Vec<u8>)> = vec![(0, Vec::new())];
        for step in 1..=40 {
            let mut now = history.last().unwrap().1.clone();
            match rng.below(10) {
                0 => {
                    content.sync();
                    history.clear();
                }
                1 => {
                    let len = rng.below(6000);
                    content.truncate(len, step);
                    now.resize(len as usize, 0);
                }
                _ => {
                    let at = rng.below(5000) as usize;
                    let mut data = vec![0; 1 + rng.below(1500) as usize];
                    rng.fill(&mut data);
                    content.write(&data, at as u64, step);
                    now.resize(now.len().max(at + data.len()), 0);
                    now[at..at + data.len()].copy_from_slice(&data);
                }
            }
            assert_eq!(content.bytes(), now);
            history.push((step, now));
            assert_eq!(after(&content, LOST, step), history[0].1, "seed {seed}");
            assert_eq!(after(&content, KEPT, step), history.last().unwrap().1);
            check_mixed(&content, &history, seed * 100 + step);
        }
    }
}

/// Untorn damage may only show sectors that once were, and sizes between the least and the greatest.
fn check_mixed(content: &Content, history: &[(u64, Vec<u8>)], seed: u64) {
    let mixed = Damage::Mixed { new_percent: 40, torn_percent: 0, garbage: false };
    let found = after(content, mixed, seed);
    let sizes = history.iter().map(|(_, bytes)| bytes.len());
    let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
    assert!((least..=most).contains(&found.len()));
    for (sector, bytes) in found.chunks(SECTOR).enumerate() {
        let once_so = history.iter().any(|(_, past)| {
            let mut past = past.clone();
            past.resize(past.len().max((sector + 1) * SECTOR), 0);
            past[sector * SECTOR..].starts_with(bytes)
        });
        assert!(once_so, "sector {sector} never looked like this");
    }
}

#[test]
fn changes_survive_in_order_up_to_a_step() {
    let mut content = Content::synced(vec![0; 2048]);
    for step in 1..=5u64 {
        content.write(&[step as u8; 512], 512 * (step % 2), step);
    }
    let found = after(&content, Damage::Ordered { step: 3 }, 1);
    // Step 3 wrote sector 1 (whole or torn), step 2 sector 0; steps 4 and 5 never were.
    assert_eq!(&found[..512], &[2; 512]);
    assert!(found[512..1024].iter().all(|b| *b == 1 || *b == 3));
}

#[test]
fn a_failed_sync_leaves_doubt_that_only_writing_again_ends() {
    let mut content = Content::synced(vec![0; 1024]);
    content.write(&[1; 1024], 0, 1);
    content.sync_failed();
    content.sync();
    assert_eq!(after(&content, LOST, 1), vec![0; 1024]);
    content.write(&[1; 512], 0, 2);
    content.sync();
    assert_eq!(after(&content, LOST, 1)[..512], [1; 512]);
    assert_eq!(after(&content, LOST, 1)[512..], [0; 512]);
}

#[test]
fn garbage_stays_inside_the_write_on_a_power_safe_disk_and_not_otherwise() {
    let mut content = Content::synced(vec![7; 512]);
    content.write(&[8; 100], 200, 1);
    let torn = Damage::Mixed { new_percent: 100, torn_percent: 100, garbage: true };
    let mut spilled = 0;
    for seed in 0..200 {
        let found = after(&content, torn, seed);
        assert_eq!(found[..200], [7; 200]);
        assert_eq!(found[300..], [7; 212]);
        let mut rng = Rng::new(seed);
        let found = content.after_power_loss(&torn.of_file(false, &mut rng), &mut rng);
        spilled += usize::from(found[..200] != [7; 200] || found[300..] != [7; 212]);
    }
    assert!(spilled > 100);
}
