//! Compiling for phones on Linux: Rust's standard library from its sources, Darwin's headers, LLVM's linker.
//!
//! `.ci/cross.sh` fetches what this stands on. It proves that the code compiles, what the libraries hold and that they link;
//! nothing built here is shipped, and nothing of it runs here.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::macho::OLDEST_IOS;
use crate::build;
use crate::launch;

/// What is on this machine for it.
pub(crate) struct Cross {
    root: PathBuf,
    /// A folder of its own: cargo's other builds are not disturbed.
    built: PathBuf,
    /// Rust's compiler, where its own folder has no sources: a script that shows it another one.
    rustc: Option<PathBuf>,
    /// Headers and libraries of Darwin.
    darwin: PathBuf,
}

/// How thoroughly a library is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As fast as can be.
    Compiles,
    /// As it would be shipped.
    Ship,
}

impl Effort {
    fn profile(self) -> &'static str {
        match self {
            // What cargo builds for this machine is then shared with the check for Android.
            Self::Compiles => "dev",
            Self::Ship => "ship",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Compiles => "debug",
            Self::Ship => "ship",
        }
    }
}

const LIBRARY: &str = "lib/rustlib/src/rust/library";
const BUILD_STD: &str = "-Zbuild-std=std,panic_unwind";

impl Cross {
    /// # Errors
    /// What is missing, in a sentence.
    pub(crate) fn find(root: &Path) -> Result<Self, String> {
        for (program, package) in [("clang-19", "clang-19"), ("ld64.lld-19", "lld-19"), ("llvm-ar-19", "llvm-19")] {
            if !launch::exists(program, &["--version"]) {
                return Err(format!("{program} is not installed (Debian: apt-get install {package})"));
            }
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        let built = target.join("cross");
        let cache = cache()?.join("cross");
        let darwin = built.join("darwin");
        if !cache.join("darwin/libSystem.tbd").is_file() {
            return Err("Darwin's headers are not there: .ci/cross.sh fetches them".to_owned());
        }
        place_darwin(&cache.join("darwin"), &darwin).map_err(|error| format!("{}: {error}", darwin.display()))?;
        let sysroot = PathBuf::from(said("rustc", &["--print", "sysroot"])?);
        if sysroot.join(LIBRARY).is_dir() {
            return Ok(Self { root: root.to_path_buf(), built, rustc: None, darwin });
        }
        let version = said("rustc", &["--version"])?;
        let version = version.split(' ').nth(1).unwrap_or_default();
        let library = cache.join(format!("rust-src-{version}/library"));
        if !library.is_dir() {
            return Err(format!("the sources of Rust {version} are not there: .ci/cross.sh fetches them"));
        }
        let rustc = place_sysroot(&sysroot, &library, &built.join("sysroot")).map_err(|error| error.to_string())?;
        Ok(Self { root: root.to_path_buf(), built, rustc: Some(rustc), darwin })
    }

    /// Compiles the Rust of the library for a target of Android, as the AAR holds it: without built-in HTTP. Its C is not
    /// compiled: there is no C library for it here.
    ///
    /// # Errors
    /// Where it does not compile; the compiler has said why.
    pub(crate) fn check_android(&self, target: &str) -> Result<(), String> {
        let mut cargo = self.cargo();
        cargo.args(["check", "--quiet", "--locked", "--package", "turnstone-ffi", "--no-default-features"]);
        cargo.args([BUILD_STD, "--target", target]);
        let name = target.replace('-', "_");
        cargo.env(format!("CC_{name}"), "/bin/true").env(format!("AR_{name}"), "/bin/true");
        finished(&mut cargo, target)
    }

    /// Builds the static library for a target of iOS, without built-in HTTP, and says where it is.
    ///
    /// # Errors
    /// Where it does not compile; the compiler has said why.
    pub(crate) fn build_ios(&self, target: &str, effort: Effort) -> Result<PathBuf, String> {
        let mut cargo = self.cargo();
        cargo.args(["rustc", "--quiet", "--locked", "--package", "turnstone-ffi", "--no-default-features"]);
        cargo.args(["--profile", effort.profile(), "--crate-type", "staticlib", BUILD_STD, "--target", target]);
        let name = target.replace('-', "_");
        cargo.env(format!("CC_{name}"), "clang-19").env(format!("AR_{name}"), "llvm-ar-19");
        cargo.env("IPHONEOS_DEPLOYMENT_TARGET", OLDEST_IOS).env("SDKROOT", &self.darwin);
        // With link-time optimisation, members would hold bitcode that only this version of LLVM reads.
        cargo.env("CARGO_PROFILE_SHIP_LTO", "off").env("CARGO_PROFILE_SHIP_STRIP", "none");
        finished(&mut cargo, target)?;
        Ok(self.built.join(target).join(effort.folder()).join("libturnstone_ffi.a"))
    }

    /// Links the whole library and nothing else but the system, and says where the result is.
    ///
    /// # Errors
    /// What is not defined, as the linker says it.
    pub(crate) fn link_ios(&self, library: &Path, target: &str) -> Result<PathBuf, String> {
        self.link(library, target, &["-force_load".as_ref(), library.as_os_str()], "whole.dylib")
    }

    /// Links what an app keeps of it: the interface and what that reaches.
    ///
    /// # Errors
    /// What the linker says.
    pub(crate) fn link_as_app(&self, library: &Path, target: &str, functions: &[String]) -> Result<PathBuf, String> {
        let list = self.built.join("interface.txt");
        let names: String = functions.iter().map(|name| format!("_{name}\n")).collect();
        std::fs::write(&list, names).map_err(|error| format!("{}: {error}", list.display()))?;
        let mut arguments: Vec<&std::ffi::OsStr> = vec!["-dead_strip".as_ref(), "-x".as_ref(), "-S".as_ref()];
        arguments.extend(["-exported_symbols_list".as_ref(), list.as_os_str(), library.as_os_str()]);
        let wanted: Vec<String> = functions.iter().flat_map(|name| ["-u".to_owned(), format!("_{name}")]).collect();
        arguments.extend(wanted.iter().map(std::ffi::OsStr::new));
        self.link(library, target, &arguments, "app.dylib")
    }

    fn link(&self, library: &Path, target: &str, how: &[&std::ffi::OsStr], name: &str) -> Result<PathBuf, String> {
        let architecture = if target.starts_with("x86_64") { "x86_64" } else { "arm64" };
        let is_device = target == "aarch64-apple-ios";
        let linked = library.with_file_name(name);
        let mut linker = Command::new("ld64.lld-19");
        linker.args(["-dylib", "-arch", architecture, "-undefined", "error", "-platform_version"]);
        linker.args([if is_device { "ios" } else { "ios-simulator" }, OLDEST_IOS, "18.0"]);
        linker.args(how).arg(self.darwin.join("libSystem.tbd")).arg("-o").arg(&linked);
        finished(&mut linker, name).map(|()| linked)
    }

    fn cargo(&self) -> Command {
        let mut cargo = build::cargo(&self.root);
        // `-Zbuild-std` is not stable; it is used here alone, to prove and never to ship.
        cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", &self.built);
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_INCREMENTAL", "0");
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        cargo
    }
}

/// Where `.ci` puts what it fetches.
///
/// # Errors
/// Where there is no home folder.
fn cache() -> Result<PathBuf, String> {
    let cache = std::env::var_os("TURNSTONE_CACHE").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/turnstone"));
    cache.or_else(home).ok_or_else(|| "there is neither TURNSTONE_CACHE nor HOME".to_owned())
}

/// Something to be taken for an SDK of iOS: the headers by a link, and the list of libSystem read as one for iOS.
fn place_darwin(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let _ = std::fs::remove_file(to.join("usr"));
    link(&from.join("usr"), &to.join("usr"))?;
    let settings = r#"{"CanonicalName":"iphoneos18.0","Version":"18.0","MaximumDeploymentTarget":"18.99"}"#;
    std::fs::write(to.join("SDKSettings.json"), settings)?;
    let system = std::fs::read_to_string(from.join("libSystem.tbd"))?;
    let system = system.replace("arm64e.x1-macos", "arm64-ios-simulator").replace("arm64e.x1-", "arm64-");
    let system = system.replace("arm64e-macos", "arm64-ios").replace("x86_64-macos", "x86_64-ios-simulator");
    std::fs::write(to.join("libSystem.tbd"), system)
}

/// Rust's own folder once more, by links, with the sources in it; the installed one stays as it is.
fn place_sysroot(from: &Path, library: &Path, to: &Path) -> std::io::Result<PathBuf> {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to.join("lib/rustlib/src/rust"))?;
    link(library, &to.join(LIBRARY))?;
    for (folder, left_out) in [("lib", "rustlib"), ("lib/rustlib", "src")] {
        for entry in std::fs::read_dir(from.join(folder))?.flatten().filter(|entry| entry.file_name() != left_out) {
            link(&entry.path(), &to.join(folder).join(entry.file_name()))?;
        }
    }
    let script = to.join("rustc");
    let (rustc, shown) = (from.join("bin/rustc"), to.display());
    std::fs::write(&script, format!("#!/bin/sh\nexec '{}' --sysroot '{shown}' \"$@\"\n", rustc.display()))?;
    allow_running(&script)?;
    Ok(script)
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(unix)]
fn allow_running(script: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn allow_running(_: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn said(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn finished(command: &mut Command, name: &str) -> Result<(), String> {
    match launch::run_shown(command) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{name}: see above")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
