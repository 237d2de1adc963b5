//! What a shared library for Android must be.
//!
//! The loader of Android refuses a library with text relocations or for another machine, devices with 16 KiB pages one whose
//! segments are aligned to less, and a name that it needs but no device has ends the app at start. All of it shows only on
//! a device, so it is read from the file here.

use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Object, ObjectSymbol};

use super::breach::Breach;
use super::stand_in;

/// An Android ABI for which a library is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abi {
    Arm64V8a,
    ArmeabiV7a,
    X86_64,
}

impl Abi {
    pub(crate) const ALL: [Self; 3] = [Self::Arm64V8a, Self::ArmeabiV7a, Self::X86_64];

    /// Its folder under `jni`.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Arm64V8a => "arm64-v8a",
            Self::ArmeabiV7a => "armeabi-v7a",
            Self::X86_64 => "x86_64",
        }
    }

    /// What Rust calls it.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Arm64V8a => "aarch64-linux-android",
            Self::ArmeabiV7a => "armv7-linux-androideabi",
            Self::X86_64 => "x86_64-linux-android",
        }
    }

    fn machine(self) -> u16 {
        match self {
            Self::Arm64V8a => elf::EM_AARCH64,
            Self::ArmeabiV7a => elf::EM_ARM,
            Self::X86_64 => elf::EM_X86_64,
        }
    }

    fn class(self) -> u8 {
        if self == Self::ArmeabiV7a { elf::ELFCLASS32 } else { elf::ELFCLASS64 }
    }
}

/// How the library calls itself.
pub(crate) const SONAME: &str = "libturnstone_ffi.so";
/// The largest page of a device.
pub(crate) const PAGE: u64 = 16 << 10;
/// What every device has and an app may link. Names of glibc end in a number, so it cannot pass for Bionic.
const NEEDED: [&str; 4] = ["libc.so", "libm.so", "libdl.so", "liblog.so"];
/// What the generated code and the loader of Java look up. Anything else could clash with another library of the app.
const EXPORTED: [&str; 4] = ["uniffi_", "ffi_", "UNIFFI_META_", "Java_"];

/// The rule that a stand-in breaks, and nothing but a stand-in.
pub(crate) const IS_REAL: &str = "is the library and no stand-in";

/// Every rule that the library breaks.
pub(crate) fn check(library: &[u8], abi: Abi, bytes_max: u64) -> Vec<Breach> {
    match facts(library) {
        Ok(facts) => facts.breaches(abi, library.len() as u64, bytes_max),
        Err(error) => vec![Breach::new("is an ELF shared library", error)],
    }
}

/// What is read from a library, before anything is judged.
struct Facts {
    class: u8,
    machine: u16,
    kind: u16,
    segments: Vec<Segment>,
    soname: Option<String>,
    needed: Vec<String>,
    text_relocations: bool,
    exports: Vec<String>,
}

struct Segment {
    flags: u32,
    offset: u64,
    address: u64,
    align: u64,
}

fn facts(library: &[u8]) -> object::read::Result<Facts> {
    match object::FileKind::parse(library)? {
        object::FileKind::Elf32 => read::<FileHeader32<Endianness>>(library),
        _ => read::<FileHeader64<Endianness>>(library),
    }
}

fn read<Header: FileHeader<Endian = Endianness>>(library: &[u8]) -> object::read::Result<Facts> {
    let file = ElfFile::<Header>::parse(library)?;
    let (header, endian) = (file.elf_header(), file.endian());
    let segments = header.program_headers(endian, library)?.iter();
    let segments = segments.filter(|segment| segment.p_type(endian) == elf::PT_LOAD).map(|segment| Segment {
        flags: segment.p_flags(endian),
        offset: segment.p_offset(endian).into(),
        address: segment.p_vaddr(endian).into(),
        align: segment.p_align(endian).into(),
    });
    let (mut soname, mut needed, mut text_relocations) = (None, Vec::new(), false);
    let dynamic = file.elf_dynamic_table()?;
    for entry in &dynamic {
        let string = || dynamic.string(entry).map(|name| String::from_utf8_lossy(name).into_owned());
        match entry.tag {
            elf::DT_SONAME => soname = Some(string()?),
            elf::DT_NEEDED => needed.push(string()?),
            elf::DT_TEXTREL => text_relocations = true,
            elf::DT_FLAGS => text_relocations |= entry.val & u64::from(elf::DF_TEXTREL) != 0,
            _ => {}
        }
    }
    let exports = file.dynamic_symbols().filter(|symbol| !symbol.is_undefined() && symbol.is_global());
    Ok(Facts {
        class: header.e_ident().class,
        machine: header.e_machine(endian),
        kind: header.e_type(endian),
        segments: segments.collect(),
        soname,
        needed,
        text_relocations,
        exports: exports.filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect(),
    })
}

impl Facts {
    fn breaches(&self, abi: Abi, bytes: u64, bytes_max: u64) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let mut demand = |holds: bool, rule, found: String| {
            if !holds {
                breaches.push(Breach::new(rule, found));
            }
        };
        demand(self.kind == elf::ET_DYN, "is an ELF shared library", format!("type {}", self.kind));
        demand(self.class == abi.class(), "class fits the ABI", format!("class {}", self.class));
        demand(self.machine == abi.machine(), "machine fits the ABI", format!("machine {}", self.machine));
        demand(!self.segments.is_empty(), "is an ELF shared library", "nothing to load".to_owned());
        for segment in &self.segments {
            let (align, at) = (segment.align, segment.address);
            let aligned = align >= PAGE && segment.offset % PAGE == segment.address % PAGE;
            demand(aligned, "segments fit pages of 16 KiB", format!("{align:#x} at {at:#x}"));
            let both = elf::PF_W | elf::PF_X;
            demand(segment.flags & both != both, "no segment is writable and executable", format!("{at:#x}"));
        }
        demand(self.soname.as_deref() == Some(SONAME), "SONAME", format!("{:?}", self.soname));
        for name in &self.needed {
            demand(NEEDED.contains(&name.as_str()), "needs only what every device has", name.clone());
        }
        demand(!self.text_relocations, "no text relocations", "DT_TEXTREL".to_owned());
        for name in &self.exports {
            let ours = EXPORTED.iter().any(|prefix| name.starts_with(prefix));
            demand(ours, "exports only its interface", name.clone());
        }
        let calls = self.exports.iter().any(|name| name.starts_with("uniffi_"));
        demand(calls, "exports its interface", "no uniffi_ function".to_owned());
        let hook = self.exports.iter().find(|name| name.contains("plant_panic"));
        demand(hook.is_none(), "no hooks for tests", format!("{hook:?}"));
        let stands_in = self.exports.iter().any(|name| name == stand_in::MARK);
        demand(!stands_in, IS_REAL, "it stands in where no library could be built".to_owned());
        demand(bytes <= bytes_max, "size", format!("{bytes} bytes, allowed {bytes_max}"));
        breaches
    }
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::super::stand_in::Library;
    use super::*;

    const MAX: u64 = 200_000;

    fn broken(library: &Library, abi: Abi) -> Vec<&'static str> {
        rules(&check(&library.write().unwrap(), abi, MAX))
    }

    #[test]
    fn a_good_library_passes_on_every_abi() {
        for abi in Abi::ALL {
            assert_eq!(check(&Library::good(abi).write().unwrap(), abi, MAX), [], "{abi:?}");
        }
    }

    /// One thing is made wrong, and exactly that rule says so.
    fn one_wrong(change: impl FnOnce(&mut Library)) -> Vec<&'static str> {
        let mut library = Library::good(Abi::Arm64V8a);
        change(&mut library);
        broken(&library, Abi::Arm64V8a)
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        assert_eq!(one_wrong(|library| library.kind = elf::ET_EXEC), ["is an ELF shared library"]);
        assert_eq!(one_wrong(|library| library.machine = elf::EM_X86_64), ["machine fits the ABI"]);
        assert_eq!(one_wrong(|library| library.align = 4 << 10), ["segments fit pages of 16 KiB"]);
        assert_eq!(one_wrong(|library| library.skew = 4 << 10), ["segments fit pages of 16 KiB"]);
        let writable = |library: &mut Library| library.text_flags |= elf::PF_W;
        assert_eq!(one_wrong(writable), ["no segment is writable and executable"]);
        assert_eq!(one_wrong(|library| library.soname = None), ["SONAME"]);
        assert_eq!(one_wrong(|library| library.soname = Some("libother.so")), ["SONAME"]);
        assert_eq!(one_wrong(|library| library.needed.push("libc.so.6")), ["needs only what every device has"]);
        assert_eq!(one_wrong(|library| library.needed.push("libc++_shared.so")), ["needs only what every device has"]);
        assert_eq!(one_wrong(|library| library.textrel = true), ["no text relocations"]);
        assert_eq!(one_wrong(|library| library.flags_textrel = true), ["no text relocations"]);
        assert_eq!(one_wrong(|library| library.exports.push("sqlite3_open")), ["exports only its interface"]);
        assert_eq!(one_wrong(|library| library.exports.clear()), ["exports its interface"]);
        let hook = |library: &mut Library| library.exports.push("uniffi_turnstone_ffi_fn_func_plant_panic");
        assert_eq!(one_wrong(hook), ["no hooks for tests"]);
        assert_eq!(one_wrong(|library| library.padding = 300_000), ["size"]);
    }

    #[test]
    fn a_stand_in_is_known_and_has_nothing_else_wrong() {
        for abi in Abi::ALL {
            assert_eq!(broken(&Library::marked(abi), abi), [IS_REAL], "{abi:?}");
        }
    }

    #[test]
    fn a_library_of_another_abi_is_told() {
        let wrong = broken(&Library::good(Abi::ArmeabiV7a), Abi::Arm64V8a);
        assert_eq!(wrong, ["class fits the ABI", "machine fits the ABI"]);
        assert_eq!(broken(&Library::good(Abi::X86_64), Abi::Arm64V8a), ["machine fits the ABI"]);
    }

    #[test]
    fn what_is_no_library_is_told() {
        for other in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01"] {
            assert_eq!(rules(&check(other, Abi::X86_64, MAX)), ["is an ELF shared library"]);
        }
        let whole = Library::good(Abi::Arm64V8a).write().unwrap();
        assert!(!check(&whole[..whole.len() / 2], Abi::Arm64V8a, MAX).is_empty());
    }
}
