//! Takes turns: limit, ours, limit, ours …, each run in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::args::Args;
use crate::notes::Source;
use crate::report::Line;
use crate::rows;
use crate::sample::Sample;
use crate::scenario::{Bed, Scenario};

/// Measures every line asked for, with the real notes behind the generated ones where they are there.
pub(crate) fn all(args: &Args) -> Result<Vec<Line>> {
    let scenarios: Vec<_> = rows::all().into_iter().filter(|scenario| scenario.key().starts_with(&args.row)).collect();
    if scenarios.is_empty() {
        return Err(format!("there is no row called {}", args.row).into());
    }
    let has_real = args.data.join("notes.jsonl.gz").exists();
    let mut lines = Vec::new();
    for source in [Source::Generated, Source::Real] {
        clear(&args.dir)?;
        for scenario in scenarios.iter().filter(|scenario| source == Source::Generated || (scenario.real && has_real)) {
            eprint!("{}{} ", scenario.key(), if source == Source::Real { " (real notes)" } else { "" });
            lines.push(line(args, scenario, source)?);
            eprintln!();
        }
    }
    clear(&args.dir)?;
    Ok(lines)
}

fn line(args: &Args, scenario: &Scenario, source: Source) -> Result<Line> {
    if scenario.prepare.is_some() {
        child(args, scenario, source, "prepare")?;
    }
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..args.pairs.max(1) {
        limit.push(sample(args, scenario, source, "limit")?);
        ours.push(sample(args, scenario, source, "ours")?);
        eprint!(".");
    }
    Ok(Line::new(scenario, source, limit, ours))
}

fn sample(args: &Args, scenario: &Scenario, source: Source, side: &str) -> Result<Sample> {
    Ok(serde_json::from_str(&child(args, scenario, source, side)?)?)
}

/// Starts this program again for one run; its standard output is the sample.
fn child(args: &Args, scenario: &Scenario, source: Source, side: &str) -> Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", &scenario.key(), "--side", side]);
    command.arg("--dir").arg(&args.dir).arg("--data").arg(&args.data);
    if args.small {
        command.arg("--small");
    }
    if source == Source::Real {
        command.arg("--real");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{} ({side}) failed", scenario.key()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// One run in this process; prints its sample.
pub(crate) fn one(args: &Args, key: &str, side: &str) -> Result<()> {
    let scenario = rows::all().into_iter().find(|scenario| scenario.key() == key);
    let scenario = scenario.ok_or_else(|| format!("there is no line called {key}"))?;
    let bed = bed(args, &scenario)?;
    let result = match side {
        "prepare" => scenario.prepare.map_or(Ok(()), |prepare| prepare(&bed)),
        "limit" => (scenario.limit)(&bed).and_then(print_sample),
        "ours" => (scenario.ours)(&bed).and_then(print_sample),
        other => Err(format!("there is no side called {other}").into()),
    };
    std::fs::remove_dir_all(&bed.folder)?;
    result
}

fn print_sample(sample: Sample) -> Result<()> {
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

fn bed(args: &Args, scenario: &Scenario) -> Result<Bed> {
    let (folder, templates) = (args.dir.join(format!("run-{}", std::process::id())), templates(&args.dir));
    std::fs::create_dir_all(&folder)?;
    std::fs::create_dir_all(&templates)?;
    let source = if args.real { Source::Real } else { Source::Generated };
    let mut bed = Bed {
        folder: folder.canonicalize()?,
        templates: templates.canonicalize()?,
        ops: scenario.ops.pick(args.small),
        rows: scenario.rows.pick(args.small),
        source,
        data: args.data.clone(),
    };
    if source == Source::Real {
        // There are only so many real notes.
        let there_are = bed.notes(usize::MAX)?.len();
        (bed.ops, bed.rows) = (bed.ops.min(there_are), bed.rows.min(there_are));
    }
    Ok(bed)
}

fn templates(dir: &Path) -> PathBuf {
    dir.join("templates")
}

/// Templates of an older build may have another shape.
fn clear(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(templates(dir)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
