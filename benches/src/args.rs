//! The command line.

use std::path::PathBuf;

use crate::Result;

const USAGE: &str = "\
Measures Turnstone beside its limits.

  --row ROW      only lines whose row begins so: W1, W2, \"W1 batch\" …
  --pairs N      how often limit and Turnstone take turns (default 5)
  --small        tiny sizes and one pair: shows that everything runs, not how fast
  --json         print JSON instead of the table
  --data FOLDER  real notes (notes.jsonl.gz), a second column where they are there (default ../shared/data)
  --dir FOLDER   where databases are made (default target/bench); a disk, not a memory file system
  --list         name every line
  --one LINE --side limit|ours|prepare   one run alone, for a profiler
  serve KIND DATABASE                    a server alone";

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) mode: Mode,
    pub(crate) row: String,
    pub(crate) pairs: usize,
    pub(crate) small: bool,
    pub(crate) json: bool,
    pub(crate) real: bool,
    pub(crate) data: PathBuf,
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// Everything asked for, in turns.
    Table,
    /// The names of all lines.
    List,
    /// One run of one side, in this process.
    One { key: String, side: String },
    /// A server for another process.
    Serve { kind: String, database: PathBuf },
}

impl Args {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            mode: Mode::Table,
            row: String::new(),
            pairs: 5,
            small: false,
            json: false,
            real: false,
            data: "../shared/data".into(),
            dir: "target/bench".into(),
        };
        let (mut one, mut side) = (None, "ours".to_owned());
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--row" => args.row = value()?,
                "--pairs" => args.pairs = value()?.parse()?,
                "--small" => (args.small, args.pairs) = (true, 1),
                "--json" => args.json = true,
                "--real" => args.real = true,
                "--data" => args.data = value()?.into(),
                "--dir" => args.dir = value()?.into(),
                "--list" => args.mode = Mode::List,
                "--one" => one = Some(value()?),
                "--side" => side = value()?,
                "serve" => args.mode = Mode::Serve { kind: value()?, database: value()?.into() },
                _ => return Err(USAGE.into()),
            }
        }
        if let Some(key) = one {
            args.mode = Mode::One { key, side };
        }
        Ok(args)
    }
}
