//! Functions outside of classes: a Kotlin compiler finds them in a jar by its `META-INF/*.kotlin_module` alone. Without it the
//! classes of the functions are all there, and an app that calls one has an "unresolved reference".

use super::breach::Breach;
use super::zip::Tree;

/// The rule that a jar of classes alone breaks.
pub(crate) const FOUND: &str = "Kotlin finds the functions of every file";
/// How the files are called that tell a compiler of Kotlin where functions are.
pub(crate) const MODULE: &str = ".kotlin_module";

/// The classes of functions that no module names.
pub(crate) fn breaches(jar: &Tree) -> Vec<Breach> {
    let modules: Vec<_> = jar
        .iter()
        .filter(|(path, _)| path.starts_with("META-INF/") && path.ends_with(MODULE))
        .map(|(_, content)| content)
        .collect();
    let unnamed = jar.keys().filter(|path| {
        let Some((package, class)) = class_of_functions(path) else { return false };
        let (package, class) = (field(PACKAGE, &package), field(CLASS, class));
        !modules.iter().any(|module| has(module, &package) && has(module, &class))
    });
    unnamed.map(|path| Breach::new(FOUND, format!("no {MODULE} names {path}"))).collect()
}

/// Package and class, if Kotlin makes a class of this name for the functions of a file.
fn class_of_functions(path: &str) -> Option<(String, &str)> {
    let (folder, class) = path.strip_suffix(".class")?.rsplit_once('/')?;
    (class.ends_with("Kt") && !class.contains('$')).then(|| (folder.replace('/', "."), class))
}

/// The tags of a package and of a class in it. A module is a message of protocol buffers.
const PACKAGE: u8 = 0x0a;
const CLASS: u8 = 0x12;

fn field(tag: u8, text: &str) -> Vec<u8> {
    // Names of ours are shorter than 128 bytes, so that a length is one.
    let mut field = vec![tag, u8::try_from(text.len()).unwrap_or(u8::MAX)];
    field.extend(text.bytes());
    field
}

fn has(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

/// A module that names the functions of one file.
#[cfg(test)]
pub(crate) fn module(path: &str) -> (String, Vec<u8>) {
    let (package, class) = class_of_functions(path).unwrap();
    (format!("META-INF/{class}{MODULE}"), [field(PACKAGE, &package), field(CLASS, class)].concat())
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::*;

    const FILE: &str = "dev/turnstone/RowDecoderKt.class";

    fn jar(files: &[(String, Vec<u8>)]) -> Tree {
        let class = |path: &str| (path.to_owned(), Vec::new());
        let classes = [FILE, "dev/turnstone/Rows.class", "dev/turnstone/RowDecoderKt$decode$1.class"];
        classes.map(class).into_iter().chain(files.iter().cloned()).collect()
    }

    #[test]
    fn a_module_names_each_class_of_functions_by_package_and_name() {
        assert_eq!(breaches(&jar(&[module(FILE)])), []);
        assert_eq!(rules(&breaches(&jar(&[]))), [FOUND]);
        assert_eq!(rules(&breaches(&jar(&[module("dev/turnstone/RowDecodersKt.class")]))), [FOUND], "another file");
        assert_eq!(rules(&breaches(&jar(&[module("dev/turnstone/rows/RowDecoderKt.class")]))), [FOUND], "elsewhere");
        let (path, content) = module(FILE);
        let misplaced = (path.replace("META-INF/", "dev/turnstone/"), content);
        assert_eq!(rules(&breaches(&jar(&[misplaced]))), [FOUND], "no compiler looks there");
    }
}
