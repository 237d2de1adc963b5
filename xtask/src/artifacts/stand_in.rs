//! A shared library without code: headers, segments, the dynamic table and its symbols.
//!
//! It stands where a machine without the NDK has no real one, and the tests break it in one thing at a time. It says what it is
//! by a name that it exports, and the verifier never takes it for the library.

use object::Endianness;
use object::elf as format;
use object::write::elf::{FileHeader, ProgramHeader, Sym, Writer};

use super::elf::{Abi, PAGE, SONAME};

/// The name by which a stand-in is known.
pub(crate) const MARK: &str = "uniffi_turnstone_stand_in_without_code";

pub(crate) struct Library {
    is_64: bool,
    pub(crate) machine: u16,
    pub(crate) kind: u16,
    /// Of every segment.
    pub(crate) align: u64,
    /// How far the address of the second segment is from its place in the file.
    pub(crate) skew: u64,
    pub(crate) text_flags: u32,
    pub(crate) soname: Option<&'static str>,
    pub(crate) needed: Vec<&'static str>,
    pub(crate) textrel: bool,
    pub(crate) flags_textrel: bool,
    pub(crate) exports: Vec<&'static str>,
    /// Bytes at the end.
    pub(crate) padding: usize,
}

impl Library {
    /// One that says what it is, and has nothing else wrong.
    pub(crate) fn marked(abi: Abi) -> Self {
        let mut library = Self::unmarked(abi);
        library.exports.push(MARK);
        library
    }

    /// One with nothing wrong, for tests.
    #[cfg(test)]
    pub(crate) fn good(abi: Abi) -> Self {
        let mut library = Self::unmarked(abi);
        library.exports.push("uniffi_turnstone_ffi_fn_open");
        library
    }

    fn unmarked(abi: Abi) -> Self {
        Self {
            is_64: abi != Abi::ArmeabiV7a,
            machine: match abi {
                Abi::Arm64V8a => format::EM_AARCH64,
                Abi::ArmeabiV7a => format::EM_ARM,
                Abi::X86_64 => format::EM_X86_64,
            },
            kind: format::ET_DYN,
            align: PAGE,
            skew: 0,
            text_flags: format::PF_R | format::PF_X,
            soname: Some(SONAME),
            needed: vec!["libc.so", "libm.so", "libdl.so", "liblog.so"],
            textrel: false,
            flags_textrel: false,
            exports: vec!["ffi_turnstone_ffi_rustbuffer_alloc", "UNIFFI_META_OPEN"],
            padding: 0,
        }
    }

    /// # Errors
    /// A sentence.
    pub(crate) fn write(&self) -> Result<Vec<u8>, String> {
        self.written().map_err(|error| format!("the stand-in: {error}"))
    }

    fn written(&self) -> object::write::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = Writer::new(Endianness::Little, self.is_64, &mut bytes);
        let soname = self.soname.map(|name| file.add_dynamic_string(name.as_bytes()));
        let needed: Vec<_> = self.needed.iter().map(|name| file.add_dynamic_string(name.as_bytes())).collect();
        let exports: Vec<_> = self.exports.iter().map(|name| file.add_dynamic_string(name.as_bytes())).collect();
        let entries = needed.len()
            + usize::from(soname.is_some())
            + usize::from(self.textrel)
            + usize::from(self.flags_textrel)
            + 3;

        file.reserve_file_header();
        file.reserve_program_headers(2);
        file.reserve_null_section_index();
        file.reserve_dynsym_section_index();
        file.reserve_dynstr_section_index();
        file.reserve_dynamic_section_index();
        file.reserve_shstrtab_section_index();
        file.reserve_null_dynamic_symbol_index();
        exports.iter().for_each(|_| {
            file.reserve_dynamic_symbol_index();
        });
        let dynsym = file.reserve_dynsym() as u64;
        let dynstr = file.reserve_dynstr() as u64;
        let dynamic = file.reserve_dynamic(entries) as u64;
        let padding = file.reserve(self.padding, 1);
        file.reserve_shstrtab();
        file.reserve_section_headers();

        let header = FileHeader {
            os_abi: 0,
            abi_version: 0,
            e_type: self.kind,
            e_machine: self.machine,
            e_entry: 0,
            e_flags: 0,
        };
        file.write_file_header(&header)?;
        file.write_align_program_headers();
        for (offset, flags, skew) in [(0, self.text_flags, 0), (PAGE, format::PF_R | format::PF_W, self.skew)] {
            file.write_program_header(&ProgramHeader {
                p_type: format::PT_LOAD,
                p_flags: flags,
                p_offset: offset,
                p_vaddr: offset + skew,
                p_paddr: offset + skew,
                p_filesz: 0,
                p_memsz: PAGE,
                p_align: self.align,
            });
        }
        file.write_null_dynamic_symbol();
        for name in exports {
            file.write_dynamic_symbol(&Sym {
                name: Some(name),
                section: None,
                st_info: (format::STB_GLOBAL << 4) | format::STT_FUNC,
                st_other: 0,
                st_shndx: format::SHN_ABS,
                st_value: 64,
                st_size: 4,
            });
        }
        file.write_dynstr();
        file.write_align_dynamic();
        for name in needed {
            file.write_dynamic_string(format::DT_NEEDED, name)?;
        }
        if let Some(name) = soname {
            file.write_dynamic_string(format::DT_SONAME, name)?;
        }
        let mut number = |tag: i64, value: u64| file.write_dynamic(tag, value);
        number(format::DT_STRTAB, dynstr)?;
        number(format::DT_SYMTAB, dynsym)?;
        if self.textrel {
            number(format::DT_TEXTREL, 0)?;
        }
        if self.flags_textrel {
            number(format::DT_FLAGS, u64::from(format::DF_TEXTREL))?;
        }
        number(format::DT_NULL, 0)?;
        file.pad_until(padding);
        file.write(&vec![0; self.padding]);
        file.write_shstrtab();
        file.write_null_section_header();
        file.write_dynsym_section_header(dynsym, 1);
        file.write_dynstr_section_header(dynstr);
        file.write_dynamic_section_header(dynamic);
        file.write_shstrtab_section_header();
        Ok(bytes)
    }
}
