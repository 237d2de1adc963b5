//! `turnstone status`: how much waits, what went wrong, what happens next.

use serde::Serialize;
use turnstone::Status;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::global::Global;
use crate::opening::SchemaChoice;
use crate::output::Output;

#[derive(Serialize)]
struct Shown<'a> {
    device: String,
    incarnation: String,
    #[serde(flatten)]
    status: &'a Status,
}

pub(crate) fn run(global: &Global, output: Output, choice: SchemaChoice) -> Result<Exit, Failure> {
    let store = global.open_existing(choice)?;
    let status = store.status()?;
    let now_ms = u64::try_from(crate::edge::wall_ms()).unwrap_or_default();
    let (device, incarnation) = store.identity()?;
    let shown = Shown { device: device.to_string(), incarnation: incarnation.to_string(), status: &status };
    output.result(&shown, || format!("device {device}\n{}", human(&status, now_ms)))?;
    Ok(Exit::Ok)
}

fn human(status: &Status, now_ms: u64) -> String {
    let ago = |at_ms: u64| format!("{} ago", duration(now_ms.saturating_sub(at_ms)));
    let mut lines = Vec::new();
    let oldest = status.oldest_pending_at_ms.map(|at| format!(", the oldest {}", ago(at))).unwrap_or_default();
    lines.push(match status.pending_groups {
        0 => "everything is sent".to_owned(),
        groups => format!(
            "{} to be sent ({}{oldest})",
            counted(groups, "change waits", "changes wait"),
            counted(status.pending_ops, "op", "ops")
        ),
    });
    if status.parked_groups > 0 {
        lines.push(format!(
            "{} for a refused one they build on",
            counted(status.parked_groups, "of them waits", "of them wait")
        ));
    }
    match status.dead_letters {
        0 => {}
        letters => lines
            .push(format!("{}: `turnstone dead list`", counted(letters, "change was refused", "changes were refused"))),
    }
    lines.push(status.last_synced_at_ms.map_or_else(|| "never synced".to_owned(), |at| format!("synced {}", ago(at))));
    if let Some(error) = &status.last_error {
        lines.push(format!("last error: {} {}", error.code, ago(error.at_ms)));
    }
    if let Some(next) = &status.next_attempt {
        lines.push(format!("next attempt in {}", duration(next.at_ms.saturating_sub(now_ms))));
    }
    lines.join("\n")
}

/// A number with the words that go with it.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A duration for people, in its two largest units.
fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::{counted, duration};

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1, "change waits", "changes wait"), "1 change waits");
        assert_eq!(counted(0, "change waits", "changes wait"), "0 changes wait");
    }

    #[test]
    fn durations_show_two_units() {
        assert_eq!(duration(59_999), "59 s");
        assert_eq!(duration(61_000), "1 min 1 s");
        assert_eq!(duration(90_000_000), "1 d 1 h");
    }
}
