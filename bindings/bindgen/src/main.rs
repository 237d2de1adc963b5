//! Writes the Kotlin or Swift code that calls the library: `turnstone-bindgen kotlin|swift LIBRARY OUT_DIR`, inside the
//! workspace. The library must not be stripped: what it exports is described in it.
//!
//! A package of its own: as a program of the library's package it would build the whole library a second time.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

const USAGE: &str = "usage: turnstone-bindgen kotlin|swift LIBRARY OUT_DIR";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (language, library, out_dir) = match arguments.as_slice() {
        [language, library, out_dir] => (language.as_str(), library, out_dir),
        _ => return refuse(USAGE),
    };
    let language = match language {
        "kotlin" => TargetLanguage::Kotlin,
        "swift" => TargetLanguage::Swift,
        _ => return refuse(USAGE),
    };
    let options = GenerateOptions {
        languages: vec![language],
        source: Utf8PathBuf::from(library),
        out_dir: Utf8PathBuf::from(out_dir),
        config_override: Some(Utf8PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../uniffi.toml"))),
        ..GenerateOptions::default()
    };
    match generate(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("nothing was written: {error:#}")),
    }
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("{sentence}");
    ExitCode::FAILURE
}
