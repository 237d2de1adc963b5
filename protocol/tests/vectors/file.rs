//! One file of vectors.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::cases;

pub(crate) struct File {
    name: &'static str,
    path: PathBuf,
    root: Json,
}

impl File {
    pub(crate) fn open(name: &'static str) -> Self {
        let path = folder().join(name);
        let root = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        Self { name, path, root }
    }

    pub(crate) fn names() -> Vec<String> {
        let entries = std::fs::read_dir(folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).collect()
    }

    /// Compares what each case of each list gives with its `expect`.
    pub(crate) fn check(mut self) {
        let bless = std::env::var_os("TURNSTONE_BLESS").is_some();
        let schema = self.root["schema"].as_str().map(str::to_owned);
        let (mut wrong, mut checked) = (Vec::new(), 0);
        for (list, cases) in self.root.as_object_mut().unwrap() {
            for case in cases.as_array_mut().into_iter().flatten() {
                let got = cases::outcome(self.name, list, schema.as_deref(), case);
                checked += 1;
                if bless {
                    case["expect"] = got;
                } else if case["expect"] != got {
                    wrong.push(format!("{list}: {}\n  expected {}\n  got      {got}", case["name"], case["expect"]));
                }
            }
        }
        assert!(checked > 0, "no cases");
        if bless {
            std::fs::write(&self.path, serde_json::to_string_pretty(&self.root).unwrap() + "\n").unwrap();
        }
        assert!(wrong.is_empty(), "{}:\n{}", self.path.display(), wrong.join("\n"));
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}
