//! What every store must do, written over the trait: another database runs the same functions.

#![allow(unreachable_pub)]

use std::sync::Arc;

use turnstone_protocol::wire::{Cause, Outcome};
use turnstone_protocol::{DeviceId, Gid, Hlc, Incarnation};
use turnstone_server::storage::{
    Gone, Hashes, Head, Images, Life, LogRow, LogWrite, RowWrite, Run, SlotNo, Storage, StorageError, StoredImages,
    StoredVerdict, TenantNo, Tx, View, read, write,
};

/// Opens the same store again and again; the first time it is empty.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn Storage>;

fn life(id: u128) -> Life {
    Life { device: DeviceId::from_random(id), incarnation: Incarnation::from_random(id) }
}

fn gid(id: u128) -> Gid {
    Gid::from_random(id)
}

fn fails() -> StorageError {
    StorageError::BadRecord("planted")
}

fn log<'a>(n: u64, slot: SlotNo, ops: &'a str, images: Images<'a>) -> LogWrite<'a> {
    LogWrite {
        n,
        gid: gid(u128::from(n)),
        slot,
        seq: n,
        hlc: Hlc(u64::MAX - n),
        ms: 1000 + n,
        outcome: if n.is_multiple_of(2) { Outcome::Merged } else { Outcome::Applied },
        as_sent: n.is_multiple_of(3),
        hash: &[9; 32],
        chain: &[8; 32],
        ops,
        count: 1,
        images,
        detail: n.is_multiple_of(2).then_some("{\"explain\":[]}"),
    }
}

/// Begins a tenant with one device and gives their numbers.
fn begin(tx: &dyn Tx, tenant: &str, id: u128) -> Result<(TenantNo, SlotNo), StorageError> {
    let locked = tx.lock(tenant, life(id))?;
    tx.put_head(locked.tenant, tenant, &locked.head)?;
    tx.put_slot(locked.tenant, life(id), locked.slot)?;
    Ok((locked.tenant, locked.slot.no))
}

/// What was written is read back, by the transaction itself, by readers, and after the store was opened again.
pub fn records_come_back(open: Open<'_>) {
    let storage = open();
    let head = Head { n: 7, chain: [1; 32], hlc: Hlc(u64::MAX), ms: 5, horizon: 2, stable: 3 };
    let tenant = write(&*storage, move |tx| {
        let (tenant, slot) = begin(tx, "ann", 1)?;
        tx.put_head(tenant, "ann", &head)?;
        assert_eq!(tx.tenant("ann")?, Some((tenant, head)));
        let row = RowWrite {
            handle: None,
            table: "notes",
            id: "n\u{1f426}",
            born: 1,
            version: 2,
            fields: "{\"a\":\"\u{1}\"}",
            stamps: &[1, 2, 3],
            gone: None,
        };
        tx.put_row(tenant, &row)?;
        let stored = tx.row(tenant, "notes", "n\u{1f426}")?.unwrap();
        assert_eq!((stored.born, stored.version, stored.stamps.len(), stored.gone), (1, 2, 3, None));
        let gone = Gone { cause: Cause::Deleted, stamp: vec![4] };
        tx.put_row(tenant, &RowWrite { handle: Some(stored.handle), version: 3, gone: Some(&gone), ..row })?;
        assert_eq!(tx.row(tenant, "notes", "n\u{1f426}")?.unwrap().gone, Some(gone));
        tx.put_row(tenant, &RowWrite { id: "live", ..row })?;
        tx.put_run(slot, &Run::start(None, 1, None))?;
        Ok(tenant)
    })
    .unwrap();
    drop(storage);
    let storage = open();
    read(&*storage, |view| {
        assert_eq!(view.tenant("ann")?, Some((tenant, head)));
        assert_eq!(view.tenant("bob")?, None);
        let stored = view.row(tenant, "notes", "n\u{1f426}")?.unwrap();
        assert_eq!((stored.version, stored.fields.as_str()), (3, "{\"a\":\"\u{1}\"}"));
        assert_eq!(view.row(tenant, "other", "n\u{1f426}")?, None);
        let mut live = Vec::new();
        view.live_rows(tenant, &mut |table, id, _| {
            live.push(format!("{table}/{id}"));
            Ok(())
        })?;
        assert_eq!(live, ["notes/live"]);
        let slot = view.slot(tenant, life(1))?.unwrap();
        assert_eq!(view.run_at(slot.no, u64::MAX)?, Some(Run::start(None, 1, None)));
        assert_eq!(view.slot(tenant, life(2))?, None);
        Ok(())
    })
    .unwrap();
}

/// Work that fails leaves nothing, also where other work shares its transaction.
pub fn failed_work_leaves_nothing(open: Open<'_>) {
    let storage = open();
    let result: Result<(), _> = write(&*storage, |tx| {
        begin(tx, "ann", 1)?;
        Err(fails())
    });
    assert_eq!(result, Err(fails()));
    std::thread::scope(|scope| {
        for at in 0..16u128 {
            let storage = &storage;
            scope.spawn(move || {
                let name = format!("tenant {at}");
                let result = write(&**storage, move |tx| {
                    begin(tx, &name, at)?;
                    if at.is_multiple_of(4) { Err(fails()) } else { Ok(()) }
                });
                assert_eq!(result.is_err(), at.is_multiple_of(4));
            });
        }
    });
    read(&*storage, |view| {
        assert_eq!(view.tenant("ann")?, None);
        for at in 0..16u128 {
            assert_eq!(view.tenant(&format!("tenant {at}"))?.is_some(), !at.is_multiple_of(4), "tenant {at}");
        }
        Ok(())
    })
    .unwrap();
}

/// The log of a tenant is read in order, from any position, and holds nobody else's commits.
pub fn the_log_is_each_tenants_own(open: Open<'_>) {
    let storage = open();
    let tenants: Vec<TenantNo> = ["ann", "bob", "eve"]
        .into_iter()
        .map(|name| {
            write(&*storage, move |tx| {
                let (tenant, slot) = begin(tx, name, 1)?;
                let parts = ["1".to_owned(), "2".to_owned()];
                for n in 1..=5 {
                    let images = match n % 3 {
                        0 => Images::InOps,
                        1 => Images::Inline(name),
                        _ => Images::Parts(&parts),
                    };
                    tx.append(tenant, &log(n, slot, name, images))?;
                }
                Ok(tenant)
            })
            .unwrap()
        })
        .collect();
    read(&*storage, |view| {
        for (tenant, name) in tenants.iter().zip(["ann", "bob", "eve"]) {
            for after in 0..=6 {
                let mut seen = Vec::new();
                view.log(*tenant, after, &mut |row: LogRow<'_>| {
                    assert_eq!((row.ops, row.seq, row.ms, row.chain), (name, row.n, 1000 + row.n, [8; 32]));
                    assert_eq!((row.gid, row.as_sent), (gid(u128::from(row.n)), row.n.is_multiple_of(3)));
                    let images = match row.n % 3 {
                        0 => StoredImages::InOps,
                        1 => StoredImages::Inline(name),
                        _ => StoredImages::Parts(2),
                    };
                    assert_eq!(row.images, images);
                    seen.push(row.n);
                    Ok(row.n < 4)
                })?;
                let wanted: Vec<u64> =
                    if after < 4 { (after + 1..=4).collect() } else { (after + 1..=5).take(1).collect() };
                assert_eq!(seen, wanted, "after {after}");
            }
            assert_eq!(view.part(*tenant, 2, 2)?.as_deref(), Some("2"));
            assert_eq!((view.part(*tenant, 2, 3)?, view.part(*tenant, 1, 1)?), (None, None));
            assert_eq!(view.commit(*tenant, 4)?.unwrap().seq, 4);
            assert!(view.commit(*tenant, 6)?.is_none() && view.commit(*tenant, 0)?.is_none());
        }
        Ok(())
    })
    .unwrap();
}

/// A verdict is kept with the log where the group is in it, by itself otherwise, and moves from one to the other.
pub fn verdicts_are_kept_for_every_gid(open: Open<'_>) {
    let storage = open();
    write(&*storage, |tx| {
        let (tenant, slot) = begin(tx, "ann", 1)?;
        let blocked = StoredVerdict {
            hashes: Hashes { payload: Some([9; 32]), ops: Some([3; 32]) },
            outcome: Outcome::Blocked,
            commit: 0,
            from: Some((slot, 4)),
            detail: Some("{\"code\":\"blocked\"}".to_owned()),
        };
        tx.put_verdict(tenant, gid(2), &blocked)?;
        assert_eq!(tx.verdict(tenant, gid(2))?, Some(blocked.clone()));
        let named = StoredVerdict {
            hashes: Hashes::default(),
            from: None,
            detail: None,
            outcome: Outcome::Replaced,
            ..blocked
        };
        tx.put_verdict(tenant, gid(3), &named)?;
        assert_eq!(tx.verdict(tenant, gid(3))?, Some(named));
        tx.append(tenant, &log(1, slot, "[]", Images::InOps))?;
        tx.append(tenant, &log(2, slot, "[]", Images::InOps))?;
        let merged = tx.verdict(tenant, gid(2))?.unwrap();
        assert_eq!((merged.outcome, merged.commit, merged.from), (Outcome::Merged, 2, Some((slot, 2))));
        assert_eq!((merged.hashes.payload, merged.detail.as_deref()), (Some([9; 32]), Some("{\"explain\":[]}")));
        assert_eq!(tx.verdict(tenant, gid(1))?.unwrap().outcome, Outcome::Applied);
        let (other, _) = begin(tx, "bob", 1)?;
        assert_eq!(tx.verdict(other, gid(1))?, None);
        Ok(())
    })
    .unwrap();
}

/// Who sent a commit's group again is kept for each device by itself, and the first time counts.
pub fn repetitions_are_each_devices_own(open: Open<'_>) {
    let storage = open();
    write(&*storage, |tx| {
        let (tenant, slot) = begin(tx, "ann", 1)?;
        tx.put_repeated(tenant, 5, slot, 3)?;
        tx.put_repeated(tenant, 5, slot, 8)?;
        assert_eq!(tx.repeated(tenant, 5, slot)?, Some(3));
        assert_eq!(tx.repeated(tenant, 6, slot)?, None);
        let (other_tenant, other) = begin(tx, "bob", 2)?;
        assert_eq!((tx.repeated(tenant, 5, other)?, tx.repeated(other_tenant, 5, slot)?), (None, None));
        Ok(())
    })
    .unwrap();
}

/// Runs are found by any seq they hold, cut, and written again.
pub fn runs_are_found_by_seq(open: Open<'_>) {
    let storage = open();
    write(&*storage, |tx| {
        let (_, slot) = begin(tx, "ann", 1)?;
        let (_, other) = begin(tx, "ann", 2)?;
        let run = |first, last, at, before| Run { first, last, at, rising: at.is_some(), before };
        let runs = [run(1, 3, Some(1), 0), run(4, 9, None, 3), run(10, 10, Some(20), u64::MAX)];
        for run in &runs {
            tx.put_run(slot, run)?;
        }
        assert_eq!(tx.run_at(slot, 0)?, None);
        for (seq, at) in [(1, 0), (3, 0), (4, 1), (9, 1), (10, 2), (u64::MAX, 2)] {
            assert_eq!(tx.run_at(slot, seq)?, Some(runs[at]), "seq {seq}");
        }
        assert_eq!(tx.runs_from(slot, 4)?, runs[1..]);
        assert_eq!(tx.runs_from(other, 0)?, []);
        tx.put_run(slot, &run(10, 11, Some(20), 5))?;
        tx.cut_runs(slot, 4)?;
        assert_eq!(tx.runs_from(slot, 0)?, runs[..1]);
        Ok(())
    })
    .unwrap();
}

/// A reader sees one moment, however long it reads, and the next one everything that was answered.
pub fn a_read_is_one_snapshot(open: Open<'_>) {
    let storage = open();
    write(&*storage, |tx| begin(tx, "ann", 1)).unwrap();
    let moved = Head { n: 1, ..Head::default() };
    read(&*storage, |view: &dyn View| {
        let before = view.tenant("ann")?.unwrap();
        assert_eq!(before.1.n, 0);
        write(&*storage, move |tx| tx.put_head(before.0, "ann", &moved)).unwrap();
        assert_eq!(view.tenant("ann")?.unwrap().1.n, 0);
        Ok(())
    })
    .unwrap();
    read(&*storage, |view| {
        assert_eq!(view.tenant("ann")?.unwrap().1, moved);
        Ok(())
    })
    .unwrap();
}

/// Numbers are never given twice, also where many begin at once.
pub fn tenants_that_begin_at_once_get_numbers_of_their_own(open: Open<'_>) {
    let storage = open();
    let numbers: Vec<(TenantNo, SlotNo)> = std::thread::scope(|scope| {
        let begun: Vec<_> = (0..20u128)
            .map(|at| {
                let storage = &storage;
                scope.spawn(move || write(&**storage, move |tx| begin(tx, &at.to_string(), at)).unwrap())
            })
            .collect();
        begun.into_iter().map(|begun| begun.join().unwrap()).collect()
    });
    let mut tenants: Vec<_> = numbers.iter().map(|(tenant, _)| *tenant).collect();
    let mut slots: Vec<_> = numbers.iter().map(|(_, slot)| *slot).collect();
    tenants.sort_unstable();
    tenants.dedup();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!((tenants.len(), slots.len()), (20, 20));
}
