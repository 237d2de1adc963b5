//! The library for the tests of apps on a computer: the classes of the JVM, and in the same jar the native library of the
//! machine it was built on, where JNA looks for it. An app's unit tests then run on the real core, without a phone. A second
//! jar, instead of that one, also has the server for tests; its library has hooks that no app may ship.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Architecture, BinaryFormat, Object, ObjectSymbol};

use super::aar;
use super::breach::Breach;
use super::pom::{Dependency, Pom};
use super::zip::{self, Tree};

/// A kind of computer: its folder in the jar, by JNA's name for it, and what its libraries are.
struct Computer {
    folder: &'static str,
    file: &'static str,
    format: BinaryFormat,
    architecture: Architecture,
}

const COMPUTERS: [Computer; 5] = {
    use Architecture::{Aarch64, X86_64};
    use BinaryFormat::{Coff, Elf, MachO};
    let linux = "libturnstone_ffi.so";
    let mac = "libturnstone_ffi.dylib";
    [
        Computer { folder: "linux-x86-64", file: linux, format: Elf, architecture: X86_64 },
        Computer { folder: "linux-aarch64", file: linux, format: Elf, architecture: Aarch64 },
        Computer { folder: "darwin-aarch64", file: mac, format: MachO, architecture: Aarch64 },
        Computer { folder: "darwin-x86-64", file: mac, format: MachO, architecture: X86_64 },
        Computer { folder: "win32-x86-64", file: "turnstone_ffi.dll", format: Coff, architecture: X86_64 },
    ]
};

/// A function that the classes call before any other.
const CALLED: &[u8] = b"ffi_turnstone_ffi_uniffi_contract_version";
/// Where the classes of the server for tests are, its library must be.
const SERVER: &str = "dev/turnstone/testing/TestServer.class";
const SERVES: &str = "the library with the server for tests";
/// How classes name what a computer does not have.
const OF_ANDROID: [&[u8]; 3] = [b"Landroid/", b"Landroidx/", b"android/content/"];

/// How the library is called on this machine.
///
/// # Errors
/// A sentence, where tests of apps are not run.
pub(crate) fn library_here() -> Result<&'static str, String> {
    Ok(here()?.file)
}

fn here() -> Result<&'static Computer, String> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let folder = format!("{system}-{}", std::env::consts::ARCH.replace('_', "-"));
    let known = COMPUTERS.iter().find(|computer| computer.folder == folder);
    known.ok_or_else(|| format!("JNA has no name for {folder} that is known here"))
}

/// Puts classes and library together.
///
/// # Errors
/// A sentence.
pub(crate) fn assemble(mut files: Tree, library: Vec<u8>) -> Result<Vec<u8>, String> {
    let here = here()?;
    files.insert(format!("{}/{}", here.folder, here.file), library);
    zip::pack(&files)
}

/// What an app's test does first: the class compares the functions of the library with those it was written for.
const FIRST: &str = "public class First { public static void main(String[] names) throws Exception {\n    \
    Class.forName(\"dev.turnstone.internal.IntegrityCheckingUniffiLib\"); System.out.println(\"loaded\"); } }\n";

/// What a test with two devices does: they sync over the server in the process.
const SERVED: &str = "import dev.turnstone.testing.TwoDevices;\nimport kotlin.coroutines.*;\nimport kotlin.jvm.functions.Function2;\n\
    import kotlinx.coroutines.*;\n\
    public class First {\n  \
    static <T> T run(Function2<CoroutineScope, Continuation<? super T>, Object> call) throws InterruptedException {\n    \
    return BuildersKt.runBlocking(EmptyCoroutineContext.INSTANCE, call);\n  }\n  \
    public static void main(String[] names) throws Exception {\n    \
    String schema = \"name = 'notes'\\nversion = 1\\n[tables.notes]\\nfields.title = { type = 'text', default = '' }\\n\";\n    \
    TwoDevices two = run((scope, done) -> TwoDevices.Companion.with(schema, options -> options, done));\n    \
    run((scope, done) -> two.settle(done));\n    two.close();\n    System.out.println(\"loaded\");\n  }\n}\n";

/// Loads the library in a JVM from the jar, with what Maven fetched for the suites and nothing else.
///
/// # Errors
/// What is missing, or what the JVM said.
pub(crate) fn load(jar: &Path, pom: &Pom) -> Result<(), String> {
    run(jar, pom, FIRST)
}

/// Lets two devices of the jar with a server sync in a JVM.
///
/// # Errors
/// As [`load`].
pub(crate) fn serve(jar: &Path, pom: &Pom) -> Result<(), String> {
    run(jar, pom, SERVED)
}

fn run(jar: &Path, pom: &Pom, program: &str) -> Result<(), String> {
    let home = std::env::var_os("HOME").map(PathBuf::from).ok_or("there is no HOME")?;
    let repository = home.join(".m2/repository");
    let mut path = jar.as_os_str().to_owned();
    for needed in &pom.dependencies {
        // Some refer to another one, with what a JVM needs of them.
        let for_jvm = Dependency { artifact: format!("{}-jvm", needed.artifact), ..needed.clone() };
        for jar in [needed, &for_jvm].map(|library| repository.join(library.path())).iter().filter(|jar| jar.is_file())
        {
            path.push(":");
            path.push(jar);
        }
    }
    let source = jar.with_file_name("First.java");
    std::fs::write(&source, program).map_err(|error| format!("{}: {error}", source.display()))?;
    let output = Command::new("java").arg("-cp").arg(path).arg(&source).output();
    let output = output.map_err(|error| format!("java: {error}"))?;
    if output.stdout == b"loaded\n" {
        return Ok(());
    }
    Err(format!("the library does not load from its jar: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Every rule that the jar breaks.
pub(crate) fn check(jar: &[u8]) -> Vec<Breach> {
    let mut breaches = zip::check(jar);
    let mut files = zip::unpack(jar).unwrap_or_default();
    let serves = files.contains_key(SERVER);
    let mut found = 0;
    for computer in &COMPUTERS {
        if let Some(library) = files.remove(&format!("{}/{}", computer.folder, computer.file)) {
            found += 1;
            breaches.extend(
                library_breaches(&library, computer, serves).into_iter().map(|breach| breach.inside(computer.folder)),
            );
        }
    }
    if found == 0 {
        breaches.push(Breach::new("a library where JNA looks for it", "there is none"));
    }
    breaches.extend(aar::class_breaches(&files).into_iter().filter(|breach| !serves || breach.rule != aar::NO_HOOKS));
    let needs_android = |(_, class): &(&String, &Vec<u8>)| OF_ANDROID.iter().any(|name| holds(class, name));
    let foreign = files.iter().filter(needs_android);
    breaches.extend(foreign.map(|(path, _)| Breach::new("nothing that only Android has", path)));
    breaches
}

fn library_breaches(library: &[u8], computer: &Computer, serves: bool) -> Vec<Breach> {
    let mut breaches = Vec::new();
    match object::File::parse(library) {
        Ok(file) => {
            if (file.format(), file.architecture()) != (computer.format, computer.architecture) {
                let found = format!("{:?} for {:?}", file.format(), file.architecture());
                breaches.push(Breach::new("the library fits its folder", found));
            }
            let of_elf = file.dynamic_symbols().filter(|symbol| !symbol.is_undefined());
            let mut names: Vec<Vec<u8>> =
                of_elf.filter_map(|symbol| symbol.name_bytes().ok().map(<[u8]>::to_vec)).collect();
            names.extend(file.exports().unwrap_or_default().iter().map(|export| export.name().to_vec()));
            // Apple's format puts an underscore before every name.
            if !names.iter().any(|name| name.strip_prefix(b"_").unwrap_or(name) == CALLED) {
                breaches.push(Breach::new("the library has what the classes call", String::from_utf8_lossy(CALLED)));
            }
        }
        Err(error) => breaches.push(Breach::new("the library fits its folder", error)),
    }
    if holds(library, aar::HOOK) != serves {
        breaches.push(Breach::new(if serves { SERVES } else { aar::NO_HOOKS }, computer.file));
    }
    breaches
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::super::elf::Abi;
    use super::super::functions;
    use super::super::stand_in::Library;
    use super::*;

    fn library(abi: Abi, export: &'static str) -> Vec<u8> {
        let mut library = Library::good(abi);
        library.exports.push(export);
        library.write().unwrap()
    }

    fn good() -> Tree {
        let called = std::str::from_utf8(CALLED).unwrap();
        let mut files: Tree = aar::CLASSES.map(|path| (path.to_owned(), b"\xca\xfe\xba\xbe\0\0\0\x3d".to_vec())).into();
        files.insert("linux-x86-64/libturnstone_ffi.so".to_owned(), library(Abi::X86_64, called));
        files
    }

    fn broken(change: impl FnOnce(&mut Tree)) -> Vec<&'static str> {
        let mut files = good();
        change(&mut files);
        rules(&check(&zip::pack(&files).unwrap()))
    }

    #[test]
    fn classes_with_a_library_where_jna_looks_pass() {
        assert_eq!(check(&zip::pack(&good()).unwrap()), []);
        let here = here().unwrap();
        let assembled = zip::unpack(&assemble(Tree::new(), b"x".to_vec()).unwrap()).unwrap();
        assert!(assembled.contains_key(&format!("{}/{}", here.folder, here.file)));
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        const PLACE: &str = "linux-x86-64/libturnstone_ffi.so";
        let called = std::str::from_utf8(CALLED).unwrap();
        assert_eq!(broken(|files| drop(files.remove(PLACE))), ["a library where JNA looks for it"]);
        let put = |path: &str, bytes: Vec<u8>| broken(|files| drop(files.insert(path.to_owned(), bytes)));
        assert_eq!(put(PLACE, library(Abi::Arm64V8a, called)), ["the library fits its folder"]);
        assert_eq!(put(PLACE, b"no library".to_vec()), ["the library fits its folder"]);
        assert_eq!(put(PLACE, library(Abi::X86_64, "ffi_another")), ["the library has what the classes call"]);
        let mut hooked = good()[PLACE].clone();
        hooked.extend(aar::HOOK);
        assert_eq!(put(PLACE, hooked.clone()), [aar::NO_HOOKS]);
        let serving = |library: Option<Vec<u8>>| {
            broken(|files| {
                files.insert(SERVER.to_owned(), [b"\xca\xfe\xba\xbe".as_slice(), aar::HOOK].concat());
                files.extend(library.map(|library| (PLACE.to_owned(), library)));
            })
        };
        assert_eq!(serving(None), [SERVES]);
        assert!(serving(Some(hooked)).is_empty(), "the jar with a server is for tests alone");
        let class = |content: &[u8]| [b"\xca\xfe\xba\xbe".as_slice(), content].concat();
        assert_eq!(put("dev/turnstone/Worker.class", class(b"Landroid/os/Build;")), ["nothing that only Android has"]);
        assert_eq!(put("dev/turnstone/SyncTest.class", class(b"")), ["no tests"]);
        assert_eq!(put("com/sun/jna/Native.class", class(b"")), ["no classes of others"]);
        assert_eq!(put("dev/turnstone/Hooked.class", class(aar::HOOK)), [aar::NO_HOOKS]);
        assert_eq!(put("dev/turnstone/RowDecoderKt.class", class(b"")), [functions::FOUND]);
        assert_eq!(broken(|files| drop(files.remove(aar::CLASSES[0]))), ["the classes of every layer"]);
    }
}
