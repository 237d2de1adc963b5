//! What can be measured: one line of a table each.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::notes::{self, Note, Source};
use crate::sample::Sample;

/// One line: some work, done by its limit and by Turnstone.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// The row of the table, such as `W1 create`.
    pub(crate) row: &'static str,
    /// Which of several lines of that row; may be empty.
    pub(crate) variant: &'static str,
    /// What the limit does, in a phrase.
    pub(crate) against: &'static str,
    pub(crate) goal: Goal,
    /// How many operations.
    pub(crate) ops: Size,
    /// How many rows stand in the database before.
    pub(crate) rows: Size,
    /// Whether the real notes are measured too.
    pub(crate) real: bool,
    /// Makes what both sides start from, once, in the template folder.
    pub(crate) prepare: Option<Run<()>>,
    pub(crate) limit: Run<Sample>,
    pub(crate) ours: Run<Sample>,
}

/// One side of a scenario.
pub(crate) type Run<T> = fn(&Bed) -> Result<T>;

impl Scenario {
    pub(crate) fn key(&self) -> String {
        if self.variant.is_empty() { self.row.to_owned() } else { format!("{}, {}", self.row, self.variant) }
    }
}

/// A size in the full run and in the small one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) full: usize,
    pub(crate) small: usize,
}

/// The same size in both: for work that has no size.
pub(crate) const NONE: Size = Size { full: 0, small: 0 };

pub(crate) const fn size(full: usize, small: usize) -> Size {
    Size { full, small }
}

impl Size {
    pub(crate) const fn pick(self, small: bool) -> usize {
        if small { self.small } else { self.full }
    }
}

/// What the pairwise ratio should reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// Throughput at least this many times the limit's.
    Rate(f64),
    /// Time at most this many times the limit's.
    Time(f64),
    /// Shown for information.
    Seen,
}

/// Where one run happens.
pub(crate) struct Bed {
    /// An empty folder of its own.
    pub(crate) folder: PathBuf,
    /// What `prepare` made; shared by all runs and not to be changed by them.
    pub(crate) templates: PathBuf,
    pub(crate) ops: usize,
    pub(crate) rows: usize,
    pub(crate) source: Source,
    pub(crate) data: PathBuf,
}

impl Bed {
    /// `count` notes of this run's source.
    pub(crate) fn notes(&self, count: usize) -> Result<Vec<Note>> {
        notes::notes(self.source, count, &self.data)
    }

    /// A file of this run's own folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where a template with `count` of something stands.
    pub(crate) fn template(&self, name: &str, count: usize) -> PathBuf {
        self.templates.join(format!("{name}-{count}-{:?}.db", self.source).to_lowercase())
    }

    /// Makes a template unless an earlier scenario did; a half-made one is never used.
    pub(crate) fn make_template(&self, name: &str, count: usize, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let (making, done) = (self.file("in-the-making.db"), self.template(name, count));
        if done.exists() {
            return Ok(());
        }
        make(&making)?;
        for (from, to) in with_log(&making).into_iter().zip(with_log(&done)).rev() {
            if from.exists() {
                std::fs::rename(from, to)?;
            }
        }
        Ok(())
    }

    /// Copies a template into this run's own folder.
    pub(crate) fn copy(&self, name: &str, count: usize) -> Result<PathBuf> {
        self.copy_as(name, count, "copy.db")
    }

    /// Copies a template under a name of its own.
    pub(crate) fn copy_as(&self, name: &str, count: usize, file: &str) -> Result<PathBuf> {
        let (template, copy) = (self.template(name, count), self.file(file));
        for (from, to) in with_log(&template).into_iter().zip(with_log(&copy)) {
            if from.exists() {
                std::fs::copy(from, to)?;
            }
        }
        if copy.exists() { Ok(copy) } else { Err(format!("nobody prepared {name} with {count}").into()) }
    }
}

/// A database and its write-ahead log.
fn with_log(database: &Path) -> [PathBuf; 2] {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    [database.to_path_buf(), PathBuf::from(log)]
}
