//! What the command prints: a result for people or one line of JSON, notes beside it on stderr.
//!
//! Results go to stdout, everything else (errors, progress, remarks) to stderr, so that a pipe sees results alone.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// Where results go and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Prints JSON where `json` is set.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether results are JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: as one line of JSON, or as the text `human` makes.
    ///
    /// # Errors
    /// A failure of stdout, other than a reader that went away.
    pub fn result(self, value: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            let text = serde_json::to_string(value).map_err(|error| {
                Failure::new(crate::exit::Exit::Failure, "internal", format!("A result has no JSON form: {error}."), "")
            })?;
            return line(&text);
        }
        let text = human();
        let text = text.trim_end_matches('\n');
        if text.is_empty() { Ok(()) } else { line(text) }
    }

    /// Prints a line for people only.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub fn say(self, text: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { line(text) }
    }

    /// Prints a remark for people on stderr. A remark that cannot be printed is not missed.
    pub fn remark(self, text: &str) {
        if !self.json {
            drop(writeln!(io::stderr().lock(), "{text}"));
        }
    }

    /// Prints a failure on stderr.
    pub fn failure(self, failure: &Failure) {
        let text = if self.json { failure.to_json().to_string() } else { format!("error: {failure}") };
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// Whether progress is drawn.
    #[must_use]
    pub fn shows_progress(self) -> bool {
        self.draws_at(io::stderr().is_terminal())
    }

    const fn draws_at(self, terminal: bool) -> bool {
        terminal && !self.json
    }

    /// A progress bar on stderr, drawn only for people at a terminal.
    #[must_use]
    pub fn progress(self, len: u64, what: &'static str) -> ProgressBar {
        let target = if self.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(len), target).with_message(what);
        match ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {elapsed}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// A table for people, in Markdown so that it can be pasted; columns of numbers stand to the right.
#[must_use]
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for (at, column) in table.column_iter_mut().enumerate() {
        let numeric = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit());
        if !rows.is_empty() && rows.iter().all(|row| row.get(at).is_some_and(numeric)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// Cuts a text to `max` characters for one line, and shows control characters as spaces.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    let flat = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().nth(max).is_none() {
        return text.chars().map(flat).collect();
    }
    text.chars().take(max.saturating_sub(1)).map(flat).chain(['…']).collect()
}

fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            crate::exit::Exit::Failure,
            "output",
            format!("The result could not be printed: {error}."),
            "The command itself was done.",
        )),
        // A reader that went away has read enough.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_drawn_for_people_at_a_terminal_only() {
        assert!(Output::new(false).draws_at(true));
        for (json, terminal) in [(false, false), (true, false), (true, true)] {
            assert!(!Output::new(json).draws_at(terminal), "json {json}, terminal {terminal}");
        }
    }
}
