//! One file of vectors.

use std::path::PathBuf;

use serde_json::Value as Json;

pub(crate) struct File {
    path: PathBuf,
    root: Json,
    bless: bool,
    wrong: Vec<String>,
    checked: usize,
}

impl File {
    pub(crate) fn open(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
        let root = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let bless = std::env::var_os("TURNSTONE_BLESS").is_some();
        Self { path, root, bless, wrong: Vec::new(), checked: 0 }
    }

    /// Something the whole file shares.
    pub(crate) fn shared(&self, key: &str) -> &str {
        self.root[key].as_str().unwrap()
    }

    /// Compares what each case of a section gives with its `expect`.
    pub(crate) fn check(&mut self, section: &str, compute: impl Fn(&Json) -> Json) {
        for case in self.root[section].as_array_mut().unwrap() {
            let got = compute(case);
            self.checked += 1;
            if self.bless {
                case["expect"] = got;
            } else if case["expect"] != got {
                self.wrong
                    .push(format!("{}: {}\n  expected {}\n  got      {got}", section, case["name"], case["expect"]));
            }
        }
    }

    pub(crate) fn finish(self) {
        assert!(self.checked > 0, "no cases");
        if self.bless {
            std::fs::write(&self.path, serde_json::to_string_pretty(&self.root).unwrap() + "\n").unwrap();
        }
        assert!(self.wrong.is_empty(), "{}:\n{}", self.path.display(), self.wrong.join("\n"));
    }
}

pub(crate) fn text<'a>(case: &'a Json, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} of {}", case["name"]))
}
