//! Tells the demo to a reader.

use super::report::Report;
use crate::output::table;
use crate::proxy::Summary;

/// What went wrong on the links.
#[must_use]
pub fn link(summary: &Summary) -> String {
    let counts = [
        ("requests reached a link", summary.exchanges),
        ("were dropped before the server saw them", summary.dropped),
        ("reached the server twice", summary.duplicated),
        ("reached it once more, long after", summary.replayed_late),
        ("were answered, and the answer was cut off", summary.cut_after_commit),
        ("were reset halfway up", summary.reset_up),
        ("were reset halfway down", summary.reset_down),
        ("were never answered", summary.half_open),
        ("got a Wi-Fi login page instead", summary.captive),
        ("had to wait", summary.delayed),
    ];
    counts.iter().map(|(what, count)| format!("  {count:>6} {what}")).collect::<Vec<_>>().join("\n")
}

/// The devices, side by side.
#[must_use]
pub fn devices(report: &Report) -> String {
    let header = [
        "device",
        "clock",
        "notes",
        "written",
        "pushed",
        "pulled",
        "merged",
        "overlaps",
        "dead",
        "up",
        "down",
        "tries",
        "seconds",
        "state hash",
    ];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for device in &report.devices {
        rows.push(vec![
            device.name.to_owned(),
            device.clock_offset.to_owned(),
            device.notes.to_string(),
            device.groups_written.to_string(),
            device.groups_pushed.to_string(),
            device.rows_pulled.to_string(),
            device.merged.to_string(),
            device.overlaps.to_string(),
            device.dead_letters.to_string(),
            bytes(device.bytes_up),
            bytes(device.bytes_down),
            device.attempts.to_string(),
            format!("{:.1}", device.seconds),
            short(&device.state.hash),
        ]);
    }
    let mut server = vec!["server".to_owned(), String::new(), report.server.rows.to_string()];
    server.resize(header.len() - 1, String::new());
    server.push(short(&report.server.hash));
    rows.push(server);
    table(&header, rows)
}

/// What the table's columns mean.
pub const LEGEND: &str = "\
written: local transactions, each acknowledged by the device before the next; pushed: decided by the server;
pulled: rows fetched; merged: pushed groups that met changes they had not seen; overlaps: fields in them that a
policy decided; dead: refused changes; up, down: bytes on the wire; tries: attempts, the network being what it is.";

/// What the oracle found.
#[must_use]
pub fn checks(report: &Report) -> String {
    let checks = &report.checks;
    let lines = [
        format!("every one of {} notes is there or gone as it must be ({} live)", checks.notes, report.server.rows),
        format!("{} reads on {} notes add up exactly", checks.views, checks.counters),
        format!("{} values: none lost, none that somebody had knowingly replaced", checks.values),
        format!(
            "{} notes were changed in different fields at the same time, and all of it stands",
            checks.side_by_side
        ),
        format!("{} fields were changed by several at the same time; a policy chose", checks.overlaps),
        format!("{} notes were deleted here and edited there; the edit kept them", checks.kept_by_edit),
    ];
    lines.map(|line| format!("  {line}")).join("\n")
}

/// The last line.
#[must_use]
pub fn verdict(report: &Report) -> String {
    let problems = report.problems();
    let (devices, seconds) = (report.devices.len(), report.seconds);
    if problems.is_empty() {
        let (rows, hash) = (report.server.rows, short(&report.server.hash));
        return format!(
            "EQUAL: {devices} devices and the server hold the same {rows} notes ({hash}); nothing was lost. {seconds:.0} s"
        );
    }
    let shown: Vec<String> = problems.iter().take(20).map(|problem| format!("  {problem}")).collect();
    let more = problems.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    format!(
        "{}{more}\nNOT AS IT MUST BE: {} problems (seed {}). {seconds:.0} s",
        shown.join("\n"),
        problems.len(),
        report.seed
    )
}

/// The beginning of a hash, enough for the eye.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// Bytes in the unit that reads best.
#[must_use]
pub fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KiB", count / 1024),
        _ => format!("{}.{} MiB", count / 1_048_576, count % 1_048_576 * 10 / 1_048_576),
    }
}
