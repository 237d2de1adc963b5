//! Logs of the command: to stderr, in the form that was asked for, never with payloads (I-61).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::global::{Global, LogForm};

/// Starts logging; `default` is the form where the options name none.
///
/// # Errors
/// A usage failure for a filter that cannot be read.
pub(crate) fn start(global: &Global, default: LogForm) -> Result<(), Failure> {
    let form = global.log.unwrap_or(default);
    if form == LogForm::Off {
        return Ok(());
    }
    let filter = EnvFilter::try_new(&global.log_level)
        .map_err(|_| Failure::usage("The log filter cannot be read.", "Give a level such as info, or target=level."))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match form {
        LogForm::Json => logs.json().with_current_span(false).with_span_list(false).try_init(),
        _ => logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
    };
    // A second start in one process (tests) keeps the first logger.
    drop(started);
    Ok(())
}
