//! `turnstone demo`: the whole product in one run, and a check that nothing was lost.

use std::path::{Path, PathBuf};

use crate::demo::play::{Choice, play};
use crate::demo::source::{Source, generate, read};
use crate::edge;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::proxy::Faults;

/// Where real notes and edits lie in a checkout that has them.
const DATA: &str = "../shared/data";
/// The size of a generated history.
const GENERATED: (usize, usize) = (2_000, 1_500);
/// Commits between two syncs.
const BURST_COMMITS: usize = 125;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Real notes: a folder of Markdown, or a .jsonl or .jsonl.gz file. `../shared/data` where it is there, generated ones otherwise.
    #[arg(long, value_name = "PATH", env = "NOTES", requires = "edits")]
    notes: Option<PathBuf>,
    /// Real edits of them: a .jsonl or .jsonl.gz file, a row per changed note.
    #[arg(long, value_name = "PATH", env = "EDITS", requires = "notes")]
    edits: Option<PathBuf>,
    /// Generate notes and edits even where real ones are there.
    #[arg(long, conflicts_with_all = ["notes", "edits"])]
    generated: bool,
    /// Deal only the first so many commits.
    #[arg(long, value_name = "COUNT")]
    commits: Option<usize>,
    /// Decides who does what and what goes wrong.
    #[arg(long, default_value_t = 20)]
    seed: u64,
    /// Commits between two syncs.
    #[arg(long, default_value_t = BURST_COMMITS, value_name = "COUNT")]
    burst: usize,
    /// A good network, for comparison.
    #[arg(long)]
    calm: bool,
    /// Keep the databases and the server's log in this folder, which must not exist yet.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

pub(crate) fn run(output: Output, args: &Args) -> Result<Exit, Failure> {
    let mut source = args.source()?;
    if let Some(commits) = args.commits {
        source.commits.truncate(commits);
    }
    let faults = if args.calm { Faults::NONE } else { Faults { half_open_ms_max: 800, ..Faults::rough() } };
    let choice = Choice { seed: args.seed, burst_commits: args.burst.max(1), faults };
    let temporary = tempfile::tempdir().map_err(|error| Failure::file(Path::new("the temporary folder"), &error))?;
    let folder = match &args.keep {
        Some(folder) => {
            std::fs::create_dir(folder).map_err(|error| Failure::file(folder, &error))?;
            folder.as_path()
        }
        None => temporary.path(),
    };
    let report = edge::block_on(play(output, &source, choice, folder))??;
    if output.is_json() {
        output.result(&report, String::new)?;
    }
    if report.ok {
        return Ok(Exit::Ok);
    }
    let message = format!("{} things are not as they must be.", report.problems().len());
    let next = format!("This is a bug. Repeat it with --seed {} --keep FOLDER and report it.", args.seed);
    Err(Failure::new(Exit::Failure, "demo", message, next))
}

impl Args {
    fn source(&self) -> Result<Source, Failure> {
        if let (Some(notes), Some(edits)) = (&self.notes, &self.edits) {
            return read(notes, edits);
        }
        let (notes, edits) = (Path::new(DATA).join("notes.jsonl.gz"), Path::new(DATA).join("edits.jsonl.gz"));
        if !self.generated && notes.exists() && edits.exists() {
            return read(&notes, &edits);
        }
        Ok(generate(self.seed, GENERATED.0, GENERATED.1))
    }
}
