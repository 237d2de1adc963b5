//! Everything that Linux can show of the libraries for phones, and the page that says so: `docs/proofs.md`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use super::cross::Cross;
use super::elf::Abi;
use super::macho::OLDEST_IOS;
use super::packages::{GOAL, count};
use super::slices::{self, Built};
use super::xcframework;
use crate::bindings::Places;
use crate::tally::Tally;

const PAGE: &str = "docs/proofs.md";
const DEVICE: &str = "aarch64-apple-ios";

/// Runs all of it and writes the page.
pub(crate) fn run(root: &Path) -> Tally {
    let mut tally = Tally::default();
    let cross = match Cross::find(root) {
        Ok(cross) => cross,
        Err(reason) => {
            tally.skip("proofs", &reason);
            return tally;
        }
    };
    let mut rows = Vec::new();
    let mut row = |what: String, result: Result<String, String>| {
        let shown = match &result {
            Ok(detail) => format!("| {what} | yes | {detail} |"),
            Err(_) => format!("| {what} | **no** | – |"),
        };
        rows.push(shown);
        count(&mut tally, &what, result.map(drop));
    };
    match slices::build_all(&cross) {
        Ok(built) => ios_rows(root, &cross, &built, &mut row),
        Err(reason) => row("static libraries for iOS".to_owned(), Err(reason)),
    }
    for abi in Abi::ALL {
        let checked = cross.check_android(abi.target()).map(|()| "Rust only: no C, not linked".to_owned());
        row(format!("compiles for `{}`", abi.target()), checked);
    }
    count(&mut tally, PAGE, write_page(root, &rows));
    tally
}

type Row<'a> = dyn FnMut(String, Result<String, String>) + 'a;

fn ios_rows(root: &Path, cross: &Cross, built: &Built, row: &mut Row<'_>) {
    for (target, library) in built {
        row(format!("static library for `{target}`"), size(library).map(|bytes| format!("{bytes} bytes")));
        let linked = cross.link_ios(library, target).and_then(|linked| size(&linked));
        let shown = linked.map(|bytes| format!("{bytes} bytes, all of it; libSystem is all it needs"));
        row(format!("links whole for `{target}`"), shown);
    }
    if let Some((target, library)) = built.iter().find(|(target, _)| *target == DEVICE) {
        row("what an app keeps of it, arm64".to_owned(), kept(root, cross, library, target));
    }
    let to = Places::new(root).built.with_file_name("TurnstoneFFIHeaders-PROOF-not-for-apps.xcframework.zip");
    let packed = slices::package(root, built, &to);
    let shown = packed.map(|packed| {
        format!("{} files, {} bytes zipped, sha256 `{}`", packed.files.len(), packed.bytes, packed.sha256)
    });
    row("XCFramework of them passes every rule, packed twice alike".to_owned(), shown);
}

/// Links as an app would, with what is not reached left out, and measures against the goal.
fn kept(root: &Path, cross: &Cross, library: &Path, target: &str) -> Result<String, String> {
    let functions: Vec<String> = xcframework::functions(&slices::header(root, library)?).into_iter().collect();
    let bytes = size(&cross.link_as_app(library, target, &functions)?)?;
    let verdict = if bytes <= GOAL { "within" } else { "over" };
    Ok(format!("{bytes} bytes, {verdict} the goal of {GOAL}; {} functions", functions.len()))
}

fn size(file: &Path) -> Result<u64, String> {
    std::fs::metadata(file).map(|found| found.len()).map_err(|error| format!("{}: {error}", file.display()))
}

fn write_page(root: &Path, rows: &[String]) -> Result<(), String> {
    let mut page = String::from(
        "# What Linux shows of the libraries for phones\n\n\
         Written by `make proofs`. Nothing here ran on a device or in a simulator, and nothing built here is shipped: releases\n\
         are built with the Android NDK and with Xcode ([artifacts.md](artifacts.md)).\n\n",
    );
    let versions = [("rustc", "--version"), ("clang-19", "--version"), ("ld64.lld-19", "--version")];
    let versions = versions.map(|(program, argument)| first_line(program, argument));
    let date = first_line("date", "+%F");
    let commit = commit(root);
    let _ = writeln!(page, "Run on {date} at {commit} with {}; iOS {OLDEST_IOS} or newer.\n", versions.join(", "));
    page.push_str("| What | Holds | Detail |\n|---|---|---|\n");
    rows.iter().for_each(|row| page.extend([row.as_str(), "\n"]));
    page.push_str(MEANING);
    std::fs::write(root.join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))
}

/// Which sources these are.
fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(root).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let (name, changed) = (git(&["rev-parse", "--short", "HEAD"]), git(&["status", "--porcelain", "-uno"]));
    match (name.is_empty(), changed.is_empty()) {
        (true, _) => "sources without a commit".to_owned(),
        (false, true) => format!("commit {name}"),
        (false, false) => format!("commit {name} and changes on top of it"),
    }
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().next().unwrap_or_default().trim().to_owned()
}

const MEANING: &str = "
## What it proves

- **Android**: every `cfg`, type and feature of the Rust code fits the target, 32 bits too, as the AAR holds it: without built-in
  HTTP. The C of SQLite and zstd is not compiled and nothing is linked: there is no C library of Android here.
- **iOS**: real static libraries, SQLite's C in them, built against Darwin's own headers. Each member says for which platform and
  from which iOS on it was built, none holds bitcode, every function of the generated header is there, and the privacy manifest
  declares what the library calls. Linked whole, nothing is undefined but what libSystem has.

## What it does not prove

- That a library loads or runs. Only a device or a simulator shows that.
- Anything of the built-in HTTP: it is in neither library. The apps' systems carry the requests, by OkHttp and URLSession.
- That Apple's linker, or the store, accepts it. The rules here are those that are known.
- The figures are of LLVM's linker; Apple's gives others, near them.
";
