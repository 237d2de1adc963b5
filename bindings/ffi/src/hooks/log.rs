//! Log lines for the app. They pass through a queue and reach the app on a thread of their own, so that no line is
//! written while somebody holds a lock; where the app is slower than the lines, the rest are counted and dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

use crate::error::FfiError;
use crate::fence;
use crate::hooks::FfiHookFailure;

/// Lines that may wait.
pub(crate) const LINES_MAX: usize = 1024;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FfiLogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    Info,
    /// For those who look for a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Takes log lines: one at a time, on a thread of their own, never a caller's. They hold no values, row ids or tokens.
/// It may call stores. Where it is slow, a thousand lines wait for it; the rest are counted and dropped.
#[uniffi::export(foreign)]
pub trait FfiLogSink: Send + Sync {
    /// Takes a line. What it throws is ignored.
    fn log(&self, level: FfiLogLevel, target: String, text: String) -> Result<(), FfiHookFailure>;
}

/// Sends the log lines of all stores to the app; none: to nobody. A new sink takes the place of the last one.
#[uniffi::export]
pub fn set_log_sink(sink: Option<Arc<dyn FfiLogSink>>, level: FfiLogLevel) -> Result<(), FfiError> {
    fence::quick("set_log_sink", move || {
        let lines = sink.map(start).transpose()?;
        let level = if lines.is_some() { filter(level) } else { LevelFilter::Off };
        *QUEUE.lines.lock().unwrap_or_else(PoisonError::into_inner) = lines;
        // Where the app has a logger of its own for Rust, that one keeps getting the lines.
        let _ = log::set_logger(&QUEUE);
        log::set_max_level(level);
        Ok(())
    })
}

struct Line {
    level: FfiLogLevel,
    target: String,
    text: String,
}

struct Queue {
    lines: Mutex<Option<SyncSender<Line>>>,
    dropped: AtomicU64,
}

static QUEUE: Queue = Queue { lines: Mutex::new(None), dropped: AtomicU64::new(0) };

/// Starts the thread that hands lines over; it ends when another sink takes its place.
fn start(sink: Arc<dyn FfiLogSink>) -> Result<SyncSender<Line>, FfiError> {
    let (sender, lines) = sync_channel::<Line>(LINES_MAX);
    fence::runtime()?.spawn_blocking(move || {
        while let Ok(line) = lines.recv() {
            let _ = sink.log(line.level, line.target, line.text);
            let dropped = QUEUE.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let text = format!("{dropped} lines were dropped: the sink is slow");
                let _ = sink.log(FfiLogLevel::Warn, "turnstone".to_owned(), text);
            }
        }
    });
    Ok(sender)
}

impl Log for Queue {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("turnstone")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(lines) = lines else { return };
        let line =
            Line { level: level(record.level()), target: record.target().to_owned(), text: record.args().to_string() };
        if lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

fn level(level: log::Level) -> FfiLogLevel {
    match level {
        log::Level::Error => FfiLogLevel::Error,
        log::Level::Warn => FfiLogLevel::Warn,
        log::Level::Info => FfiLogLevel::Info,
        log::Level::Debug => FfiLogLevel::Debug,
        log::Level::Trace => FfiLogLevel::Trace,
    }
}

fn filter(level: FfiLogLevel) -> LevelFilter {
    match level {
        FfiLogLevel::Error => LevelFilter::Error,
        FfiLogLevel::Warn => LevelFilter::Warn,
        FfiLogLevel::Info => LevelFilter::Info,
        FfiLogLevel::Debug => LevelFilter::Debug,
        FfiLogLevel::Trace => LevelFilter::Trace,
    }
}
