//! Reads of an ELF file what probes need: where functions and sections lie in it.
//!
//! The file belongs to a watched workload, so it is hostile: everything is read at its place,
//! within bounds, and nothing is believed of what does not fit. Written by hand, because of the
//! format four structs are needed, and a mapped file could be changed under a library's feet.
//! Layouts: `elf.h`, 64 bits and little endian.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Error;
use std::os::unix::fs::FileExt;

/// Sections of one file; a linker makes a few dozen, one a function where it is told to.
pub(super) const SECTIONS_MAX: usize = 4096;
/// Segments of one file.
pub(super) const SEGMENTS_MAX: usize = 256;
/// Bytes of one section that is read whole: names of symbols, Go's table of functions.
pub(super) const SECTION_BYTES_MAX: u64 = 128 << 20;
/// Symbols of one table that are looked at.
pub(super) const SYMBOLS_MAX: u64 = 4 << 20;

const HEADER_BYTES: usize = 64;
const SECTION_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
const SYMBOL_BYTES: usize = 24;
/// Symbols that are read at once.
const SYMBOLS_AT_ONCE: usize = 4096;
const NAME_BYTES_MAX: usize = 64;
const LOADED: u32 = 1;
const SYMBOL_TABLES: [u32; 2] = [2, 11];
const FUNCTION: u8 = 2;

/// An opened file of that format.
#[derive(Debug)]
pub(super) struct Elf<'a> {
    file: &'a File,
    sections: Vec<Section>,
    segments: Vec<Segment>,
}

/// A part of the file by its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    name: Vec<u8>,
    kind: u32,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    link: u32,
}

/// A part of the file that is mapped when it runs.
#[derive(Clone, Copy, Debug)]
struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

impl<'a> Elf<'a> {
    /// The file's sections and segments; `None` where it is no such file.
    pub(super) fn open(file: &'a File) -> Option<Self> {
        let header = read(file, 0, HEADER_BYTES).ok()?;
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let tables = [(32, 54, SEGMENT_BYTES, SEGMENTS_MAX), (40, 58, SECTION_BYTES, SECTIONS_MAX)];
        let [segments, sections] = tables.map(|(offset_at, size_at, size, count_max)| {
            let count = usize::from(u16_at(&header, size_at + 2)?);
            if usize::from(u16_at(&header, size_at)?) != size || count > count_max {
                return None;
            }
            read(file, u64_at(&header, offset_at)?, count * size).ok()
        });
        let segments = segments?.chunks_exact(SEGMENT_BYTES).filter_map(segment).collect();
        let mut elf = Self { file, sections: Vec::new(), segments };
        // Programs without sections run all the same.
        let Some(sections) = sections else { return Some(elf) };
        let read = sections.chunks_exact(SECTION_BYTES).filter_map(section);
        elf.sections = read.map(|(_, section)| section).collect();
        let names = elf.sections.get(usize::from(u16_at(&header, 62)?)).cloned();
        let names = names.and_then(|names| elf.bytes(&names)).unwrap_or_default();
        let starts = sections.chunks_exact(SECTION_BYTES).filter_map(section).map(|(at, _)| at);
        for (section, at) in elf.sections.iter_mut().zip(starts) {
            section.name = name_at(&names, at).unwrap_or_default().to_vec();
        }
        Some(elf)
    }

    /// The section of that name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name.as_bytes())
    }

    /// All of a section; `None` where the file does not have it, or it is over the bound.
    pub(super) fn bytes(&self, section: &Section) -> Option<Vec<u8>> {
        let end = section.offset.checked_add(section.size)?;
        let is_within = self.file.metadata().is_ok_and(|metadata| end <= metadata.len());
        if !is_within || section.size > SECTION_BYTES_MAX {
            return None;
        }
        read(self.file, section.offset, usize::try_from(section.size).ok()?).ok()
    }

    /// Bytes at a place of the file.
    pub(super) fn bytes_at(&self, offset: u64, count: usize) -> Option<Vec<u8>> {
        read(self.file, offset, count).ok()
    }

    /// Where in the file what has that address lies.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        let holds = |segment: &&Segment| {
            segment.address <= address && address - segment.address < segment.size
        };
        let segment = self.segments.iter().find(holds)?;
        segment.offset.checked_add(address - segment.address)
    }

    /// Where in the file functions of those names begin, as far as it has them.
    pub(super) fn functions<'n>(&self, wanted: &[&'n str]) -> BTreeMap<&'n str, u64> {
        let mut found = BTreeMap::new();
        for table in self.sections.iter().filter(|table| SYMBOL_TABLES.contains(&table.kind)) {
            let names = usize::try_from(table.link).ok().and_then(|link| self.sections.get(link));
            let Some(names) = names.and_then(|names| self.bytes(names)) else { continue };
            self.add_functions(table, &names, wanted, &mut found);
        }
        found
    }

    fn add_functions<'n>(
        &self,
        table: &Section,
        names: &[u8],
        wanted: &[&'n str],
        found: &mut BTreeMap<&'n str, u64>,
    ) {
        let step = u64::try_from(SYMBOLS_AT_ONCE * SYMBOL_BYTES).unwrap_or(u64::MAX);
        let size = table.size.min(SYMBOLS_MAX * 24);
        let mut at = 0;
        while at < size {
            let count = usize::try_from(step.min(size - at)).unwrap_or_default();
            let place = table.offset.saturating_add(at);
            let Ok(symbols) = read(self.file, place, count) else { return };
            for symbol in symbols.chunks_exact(SYMBOL_BYTES) {
                let Some((name, address)) = function(symbol, names) else { continue };
                let Some(name) = wanted.iter().find(|wanted| wanted.as_bytes() == name) else {
                    continue;
                };
                found.extend(self.offset_of(address).map(|offset| (*name, offset)));
            }
            at += step;
        }
    }
}

/// Name and address of a symbol, where it is a function that lies in this file.
fn function<'n>(symbol: &[u8], names: &'n [u8]) -> Option<(&'n [u8], u64)> {
    let is_here = symbol.get(4)? & 0xf == FUNCTION && u16_at(symbol, 6)? != 0;
    is_here.then_some(())?;
    Some((name_at(names, u32_at(symbol, 0)?)?, u64_at(symbol, 8)?))
}

fn section(bytes: &[u8]) -> Option<(u32, Section)> {
    let section = Section {
        name: Vec::new(),
        kind: u32_at(bytes, 4)?,
        address: u64_at(bytes, 16)?,
        offset: u64_at(bytes, 24)?,
        size: u64_at(bytes, 32)?,
        link: u32_at(bytes, 40)?,
    };
    Some((u32_at(bytes, 0)?, section))
}

fn segment(bytes: &[u8]) -> Option<Segment> {
    (u32_at(bytes, 0)? == LOADED).then_some(())?;
    let [offset, address, size] = [8, 16, 32].map(|at| u64_at(bytes, at));
    Some(Segment { offset: offset?, address: address?, size: size? })
}

/// The text up to the next NUL byte, which has to come soon.
pub(super) fn name_at(names: &[u8], at: u32) -> Option<&[u8]> {
    let rest = names.get(usize::try_from(at).ok()?..)?;
    let rest = rest.get(..NAME_BYTES_MAX).unwrap_or(rest);
    rest.split(|byte| *byte == 0).next()
}

fn read(file: &File, offset: u64, count: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn own() -> File {
        File::open("/proc/self/exe").expect("this program")
    }

    #[test]
    fn functions_and_sections_of_this_program_are_found() {
        let file = own();
        let elf = Elf::open(&file).expect("ELF");
        assert!(elf.section(".text").is_some_and(|text| 0 < text.size));
        let found = elf.functions(&["main", "no_such_function"]);
        assert_eq!(found.keys().collect::<Vec<_>>(), [&"main"]);
    }

    #[test]
    fn a_file_that_lies_about_itself_is_read_within_its_bounds() {
        let mut whole = elf_of(3);
        // As many sections as fit the field, then names of a size that no file has.
        for (at, value) in [(60, u16::MAX), (62, u16::MAX)] {
            whole[at..at + 2].copy_from_slice(&value.to_le_bytes());
            let file = file_of(&whole);
            let elf = Elf::open(&file);
            assert!(elf.is_none_or(|elf| elf.functions(&["main"]).is_empty()));
        }
        const { assert!(SECTIONS_MAX < 65_535 && SEGMENTS_MAX < 65_535) };
    }

    #[test]
    fn a_section_over_the_bounds_is_not_read() {
        let file = file_of(&elf_of(0));
        file.set_len(SECTION_BYTES_MAX + 4096).expect("a hole");
        let elf = Elf::open(&file).expect("ELF");
        let of_size = |size| Section { size, ..Section::default() };
        assert!(elf.bytes(&of_size(SECTION_BYTES_MAX + 1)).is_none());
        assert!(elf.bytes(&of_size(u64::MAX)).is_none());
        // A table of more symbols than are looked at ends in holes, and is no error.
        let table = Section { kind: 2, ..of_size((SYMBOLS_MAX + 9) * 24) };
        let mut found = BTreeMap::new();
        elf.add_functions(&table, b"\0", &["main"], &mut found);
        assert!(found.is_empty());
    }

    #[test]
    fn what_is_no_elf_file_is_refused_whatever_its_length() {
        for length in [0, 5, 63] {
            assert!(Elf::open(&file_of(&elf_of(0)[..length])).is_none());
        }
        assert!(Elf::open(&file_of(&[0; 200])).is_none());
    }

    /// A header that tells of so many empty sections behind it.
    fn elf_of(sections: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(HEADER_BYTES + usize::from(sections) * SECTION_BYTES, 0);
        bytes[40] = 64;
        bytes[54] = 56;
        bytes[58] = 64;
        bytes[60..62].copy_from_slice(&sections.to_le_bytes());
        bytes
    }

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("writes");
        file
    }
}
