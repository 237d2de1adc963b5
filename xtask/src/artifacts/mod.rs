//! What app developers get, and the verifiers that read it as a phone would.

mod aar;
mod breach;
mod cross;
mod desktop;
mod elf;
#[cfg(test)]
mod fixtures;
mod functions;
mod macho;
mod packages;
mod plist;
mod pom;
mod proofs;
mod release;
mod sizes;
mod slices;
mod stand_in;
mod swift_package;
mod xcframework;
mod zip;

pub(crate) use packages::{aar_check, compiled, verify, xcframework_check};
pub(crate) use proofs::run as proofs;
pub(crate) use release::{ANDROID, CODE, LIBRARIES, build_aar, build_jar, build_xcframework};
pub(crate) use sizes::run as sizes;
pub(crate) use slices::PACKAGE;
