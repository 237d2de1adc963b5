//! What a static library for Apple's systems must be.
//!
//! Xcode links whatever it is given and complains late: about a member built for another platform, for a newer system than
//! the app's, or left as bitcode, and about a function that the header promises and no member has.

use std::collections::BTreeSet;

use object::macho;
use object::read::archive::ArchiveFile;
use object::read::macho::{FatArch, MachHeader, MachOFatFile32, MachOFile64};
use object::{Endianness, Object, ObjectSection, ObjectSymbol};

use super::breach::Breach;

/// For what a library is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Device,
    Simulator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Architecture {
    Arm64,
    X86_64,
}

impl Architecture {
    /// What Apple calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    fn of(cpu: u32) -> Option<Self> {
        match cpu {
            macho::CPU_TYPE_ARM64 => Some(Self::Arm64),
            macho::CPU_TYPE_X86_64 => Some(Self::X86_64),
            _ => None,
        }
    }
}

/// The oldest iOS that is supported.
pub(crate) const OLDEST_IOS: &str = "15.0";
/// The same as a load command writes it: `xxxx.yy.zz`.
pub(crate) const OLDEST_IOS_PACKED: u32 = 15 << 16;

const FAT_MAGIC: &[u8] = b"\xca\xfe\xba\xbe";
const BITCODE_MAGICS: [&[u8]; 2] = [b"BC\xc0\xde", b"\xde\xc0\x17\x0b"];

/// What a static library holds, over all of its members.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) architectures: BTreeSet<Architecture>,
    /// Defined in every architecture, as C names them.
    pub(crate) defined: BTreeSet<String>,
    /// Wanted from elsewhere in any architecture, as C names them.
    pub(crate) wanted: BTreeSet<String>,
}

/// Reads a static library, of one architecture or several, and tells which rules it breaks.
pub(crate) fn check(library: &[u8], platform: Platform) -> (Contents, Vec<Breach>) {
    let mut contents = Contents::default();
    let mut breaches = Vec::new();
    let slices = match slices(library) {
        Ok(slices) => slices,
        Err(error) => return (contents, vec![Breach::new("is a static library", error)]),
    };
    for (index, slice) in slices.into_iter().enumerate() {
        match read_archive(slice, platform, &mut breaches) {
            Ok(read) => contents.join(read, index == 0),
            Err(error) => breaches.push(Breach::new("is a static library", error)),
        }
    }
    (contents, breaches)
}

impl Contents {
    fn join(&mut self, slice: Self, is_first: bool) {
        if is_first {
            self.defined = slice.defined;
        } else {
            self.defined.retain(|name| slice.defined.contains(name));
        }
        self.architectures.extend(slice.architectures);
        self.wanted.extend(slice.wanted);
    }
}

fn slices(library: &[u8]) -> object::read::Result<Vec<&[u8]>> {
    if !library.starts_with(FAT_MAGIC) {
        return Ok(vec![library]);
    }
    MachOFatFile32::parse(library)?.arches().iter().map(|slice| slice.data(library)).collect()
}

fn read_archive(bytes: &[u8], platform: Platform, breaches: &mut Vec<Breach>) -> object::read::Result<Contents> {
    let mut contents = Contents::default();
    for member in ArchiveFile::parse(bytes)?.members() {
        let member = member?;
        let (name, data) = (String::from_utf8_lossy(member.name()).into_owned(), member.data(bytes)?);
        if BITCODE_MAGICS.iter().any(|magic| data.starts_with(magic)) {
            breaches.push(Breach::new("no bitcode", &name));
            continue;
        }
        match MachOFile64::<Endianness, &[u8]>::parse(data) {
            Ok(file) => {
                breaches.extend(member_breaches(&file, platform).into_iter().map(|breach| breach.inside(&name)));
                contents.architectures.extend(Architecture::of(file.macho_header().cputype(file.endian())));
                contents.add_symbols(&file);
            }
            Err(error) => breaches.push(Breach::new("every member is an object file", format!("{name}: {error}"))),
        }
    }
    if contents.architectures.len() != 1 {
        breaches.push(Breach::new("one architecture in each slice", format!("{:?}", contents.architectures)));
    }
    // What one member wants and another has is not wanted from elsewhere.
    contents.wanted.retain(|name| !contents.defined.contains(name));
    Ok(contents)
}

fn member_breaches(file: &MachOFile64<'_, Endianness>, platform: Platform) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let endian = file.endian();
    match file.build_version() {
        Ok(Some(version)) => {
            let (found, oldest) = (version.platform.get(endian), version.minos.get(endian));
            if found != expected(platform) {
                breaches.push(Breach::new("built for its platform", format!("platform {found}")));
            }
            if oldest > OLDEST_IOS_PACKED {
                let (major, minor) = (oldest >> 16, oldest >> 8 & 0xff);
                breaches
                    .push(Breach::new("runs on the oldest iOS", format!("wants {major}.{minor}, not {OLDEST_IOS}")));
            }
        }
        _ => breaches.push(Breach::new("built for its platform", "it does not say for which")),
    }
    let bitcode = |section: &object::read::macho::MachOSection64<'_, '_, Endianness>| {
        section.segment_name() == Ok(Some("__LLVM")) && section.size() > 1
    };
    if file.sections().any(|section| bitcode(&section)) {
        breaches.push(Breach::new("no bitcode", "a section holds it"));
    }
    breaches
}

fn expected(platform: Platform) -> u32 {
    match platform {
        Platform::Device => macho::PLATFORM_IOS,
        Platform::Simulator => macho::PLATFORM_IOSSIMULATOR,
    }
}

impl Contents {
    fn add_symbols(&mut self, file: &MachOFile64<'_, Endianness>) {
        for symbol in file.symbols().filter(|symbol| symbol.is_global()) {
            let Ok(name) = symbol.name() else { continue };
            let name = name.strip_prefix('_').unwrap_or(name).to_owned();
            if symbol.is_undefined() {
                self.wanted.insert(name);
            } else {
                self.defined.insert(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::super::fixtures::macho::{Member, archive, fat};
    use super::*;

    fn broken(library: &[u8]) -> Vec<&'static str> {
        rules(&check(library, Platform::Device).1)
    }

    #[test]
    fn a_good_library_tells_what_it_holds() {
        let one = Member { wants: vec!["stat", "uniffi_two"], ..Member::good("uniffi_one") };
        let (contents, breaches) = check(&archive(&[one, Member::good("uniffi_two")]), Platform::Device);
        assert_eq!(breaches, []);
        assert_eq!(contents.architectures, BTreeSet::from([Architecture::Arm64]));
        assert_eq!(contents.defined, ["uniffi_one", "uniffi_two"].map(str::to_owned).into());
        assert_eq!(contents.wanted, ["stat".to_owned()].into());
    }

    #[test]
    fn of_several_architectures_what_all_define_counts() {
        let simulator = |member: Member| Member { platform: Some(macho::PLATFORM_IOSSIMULATOR), ..member };
        let arm = archive(&[simulator(Member::good("uniffi_one")), simulator(Member::good("uniffi_two"))]);
        let intel = archive(&[simulator(Member { intel: true, ..Member::good("uniffi_one") })]);
        let library = fat(&[(Architecture::Arm64, arm), (Architecture::X86_64, intel)]);
        let (contents, breaches) = check(&library, Platform::Simulator);
        assert_eq!(breaches, []);
        assert_eq!(contents.architectures, BTreeSet::from([Architecture::Arm64, Architecture::X86_64]));
        assert_eq!(contents.defined, ["uniffi_one".to_owned()].into());
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        let wrong = |member: Member| broken(&archive(&[Member::good("uniffi_other"), member]));
        let good = || Member::good("uniffi_one");
        assert_eq!(wrong(good()), [""; 0]);
        for platform in [Some(macho::PLATFORM_MACOS), Some(macho::PLATFORM_IOSSIMULATOR), None] {
            assert_eq!(wrong(Member { platform, ..good() }), ["built for its platform"], "{platform:?}");
        }
        assert_eq!(wrong(Member { oldest: 16 << 16, ..good() }), ["runs on the oldest iOS"]);
        assert_eq!(wrong(Member { bitcode_section: true, ..good() }), ["no bitcode"]);
        assert_eq!(wrong(Member { instead: Some(b"BC\xc0\xde and more"), ..good() }), ["no bitcode"]);
        assert_eq!(wrong(Member { instead: Some(b"rust metadata"), ..good() }), ["every member is an object file"]);
        assert_eq!(wrong(Member { intel: true, ..good() }), ["one architecture in each slice"]);
        assert_eq!(broken(b"!<thin>"), ["is a static library"]);
    }
}
