//! How large the library is that apps get, and what makes it so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{GOAL, GOAL_WITH_HTTP};
use super::slices;
use crate::bindings::Places;
use crate::build;
use crate::launch;

/// How many of the largest parts are shown.
const SHOWN: usize = 12;

/// Builds the library as it is shipped, for this machine, with and without built-in HTTP, and prints both sizes.
///
/// # Errors
/// What does not build or cannot be read.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let folder = Places::new(root).built.with_file_name("sizes");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    println!("Built for {}; the goals are for arm64, and docs/proofs.md has a figure for it.", std::env::consts::ARCH);
    let builds = [("without-http", GOAL, Some("--no-default-features")), ("with-http", GOAL_WITH_HTTP, None)];
    for (name, goal, feature) in builds {
        let library = built(root, feature, &folder.join(format!("{name}.so")))?;
        let stripped = folder.join(format!("{name}-stripped.so"));
        let mut strip = Command::new("strip");
        strip.arg("--strip-all").arg("-o").arg(&stripped).arg(&library);
        if !launch::run_shown(&mut strip).unwrap_or(false) {
            return Err("strip failed, see above".to_owned());
        }
        let bytes = slices::read(&stripped)?.len() as u64;
        let verdict = if bytes <= goal { "within" } else { "over" };
        println!("\n{name}: {bytes} bytes stripped, {verdict} the goal of {goal}; of its code and data:");
        for (part, bytes) in parts(&library)?.into_iter().take(SHOWN) {
            println!("  {bytes:>9}  {part}");
        }
    }
    Ok(())
}

fn built(root: &Path, feature: Option<&str>, to: &Path) -> Result<PathBuf, String> {
    let mut cargo = build::cargo(root);
    cargo.args(["build", "--locked", "--profile", "ship", "--package", "turnstone-ffi"]).args(feature);
    // The names of what is inside go with the strip.
    cargo.env("CARGO_PROFILE_SHIP_STRIP", "none");
    if !launch::run_shown(&mut cargo).unwrap_or(false) {
        return Err("the library does not build, see above".to_owned());
    }
    let library = Places::new(root).cargo.with_file_name("ship").join("libturnstone_ffi.so");
    std::fs::copy(&library, to).map_err(|error| format!("{}: {error}", library.display()))?;
    Ok(to.to_path_buf())
}

/// Bytes by crate or C library, the largest first.
fn parts(library: &Path) -> Result<Vec<(String, u64)>, String> {
    let mut nm = Command::new("nm");
    // In the order of the table: what is local to a file of C comes after the name of the file.
    let output = nm.args(["--debug-syms", "--no-sort", "--demangle", "--print-size"]).arg(library).output();
    let output = output.map_err(|error| format!("nm: {error}"))?;
    let sums = sums(&String::from_utf8_lossy(&output.stdout));
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(sums)
}

fn sums(table: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::<String, u64>::new();
    let mut file = "";
    for line in table.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            [_, "a", name] => file = name,
            [_, bytes, kind, name] => {
                let Ok(bytes @ 1..) = u64::from_str_radix(bytes, 16) else { continue };
                let is_local = kind.starts_with(|letter: char| letter.is_ascii_lowercase());
                let owner = if is_local && file.ends_with(".c") { owner(file) } else { owner(name) };
                *sums.entry(owner).or_default() += bytes;
            }
            _ => {}
        }
    }
    sums
}

/// The crate a name comes from; for C, the library, which the names of its functions and files begin with.
fn owner(name: &str) -> String {
    let path = name.trim_start_matches(['<', '&', '[', '(', '*']);
    let path =
        ["mut ", "const ", "dyn ", "impl "].iter().fold(path, |path, word| path.strip_prefix(word).unwrap_or(path));
    if let Some((first, _)) = path.split_once("::")
        && first.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    {
        return first.to_owned();
    }
    let libraries = [
        ("sqlite", "SQLite (C)"),
        ("ring_core", "ring (C)"),
        ("zstd", "zstd (C)"),
        ("huf", "zstd (C)"),
        ("fse", "zstd (C)"),
    ];
    let name = name.to_ascii_lowercase();
    let library = libraries.iter().find(|(prefix, _)| name.starts_with(prefix));
    library.map_or_else(|| "C and what has no crate in its name".to_owned(), |(_, library)| (*library).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_crates_or_c_libraries() {
        let owners = [
            ("core::fmt::write", "core"),
            ("<turnstone::store::Store as core::ops::Drop>::drop", "turnstone"),
            ("<&mut serde_json::de::Deserializer<R>>::next", "serde_json"),
            ("sqlite3VdbeExec", "SQLite (C)"),
            ("ZSTD_compressBlock_fast", "zstd (C)"),
            ("ring_core_0_17_14__x25519_ge", "ring (C)"),
            ("yy_reduce.constprop.0", "C and what has no crate in its name"),
        ];
        for (name, expected) in owners {
            assert_eq!(owner(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_local_to_a_file_of_c_belongs_to_its_library() {
        let table = "0000000000000000 a sqlite3.c\n00000000000000a0 0000000000000010 t yy_reduce\n\
            0000000000000000 a turnstone_ffi.1-cgu.0\n00000000000000b0 0000000000000001 t core::fmt::write\n\
            00000000000000c0 0000000000000002 T sqlite3_open\n                 U malloc\n00000000000000d0 T _init\n";
        assert_eq!(sums(table), [("SQLite (C)".to_owned(), 18), ("core".to_owned(), 1)].into());
    }
}
