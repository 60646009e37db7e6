//! Finds functions of a Go program, and where they return, in the table that every Go program has.
//!
//! Go's own runtime needs the table (`.gopclntab`) to walk stacks, so it is there in stripped
//! programs too. It also tells the size of the stack frame at every instruction: behind the entry
//! the frame is empty only where the function returns, so no instruction has to be decoded.
//! Layout: `src/runtime/symtab.go` and `src/internal/abi/symtab.go` of Go 1.18 to 1.25.

use super::elf::{Elf, name_at, u32_at, u64_at};

/// Functions of one program that are looked at; Kubernetes' largest has 150,000.
pub(super) const FUNCTIONS_MAX: u64 = 1 << 20;
/// Changes of the frame within one function.
pub(super) const STEPS_MAX: usize = 4096;
/// Returns of one function; a probe each.
pub(super) const RETURNS_MAX: usize = 64;

const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
/// Go 1.18 and 1.19, and since 1.20.
const MAGICS: [u32; 2] = [0xffff_fff0, 0xffff_fff1];
const RET: u8 = 0xc3;

/// A function by its places in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) entry: u64,
    /// Every instruction that returns.
    pub(super) returns: Vec<u64>,
}

/// The table of a program.
#[derive(Debug)]
pub(super) struct Table<'a> {
    elf: &'a Elf<'a>,
    bytes: Vec<u8>,
    text: u64,
    functions: u64,
    names: usize,
    steps: usize,
    places: usize,
}

/// Why a program of Go cannot be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

impl<'a> Table<'a> {
    /// The table of a Go program; `None` where it is none.
    pub(super) fn of(elf: &'a Elf<'a>) -> Option<Result<Self, Unknown>> {
        let section = SECTIONS.iter().find_map(|name| elf.section(name))?;
        Some(elf.bytes(section).and_then(|bytes| Self::read(elf, bytes)).ok_or(Unknown))
    }

    fn read(elf: &'a Elf<'a>, bytes: Vec<u8>) -> Option<Self> {
        MAGICS.contains(&u32_at(&bytes, 0)?).then_some(())?;
        // Words of eight bytes, and instructions that begin anywhere.
        (bytes.get(6..8)? == [1, 8]).then_some(())?;
        let place = |word: usize| usize::try_from(u64_at(&bytes, 8 + 8 * word)?).ok();
        let text = match u64_at(&bytes, 24)? {
            // Where it is not told: in programs that may lie anywhere, and since Go 1.26.
            0 => elf.section(".text")?.address,
            told => told,
        };
        let functions = u64_at(&bytes, 8)?.min(FUNCTIONS_MAX);
        let (names, steps, places) = (place(3)?, place(6)?, place(7)?);
        Some(Self { elf, bytes, text, functions, names, steps, places })
    }

    /// The function of that name; `None` where the program has none, or its returns are not where
    /// the table says.
    pub(super) fn function(&self, name: &str) -> Option<Function> {
        let (entry, record) = self.functions().find(|(_, record)| {
            let at = self.word(record + 4);
            let names = self.bytes.get(self.names..).unwrap_or_default();
            at.and_then(|at| name_at(names, at)).is_some_and(|found| found == name.as_bytes())
        })?;
        let entry_place = self.elf.offset_of(self.text.checked_add(u64::from(entry))?)?;
        let mut returns = Vec::new();
        for at in self.empty_frames(record)? {
            let place = entry_place.checked_add(at)?;
            if self.elf.bytes_at(place, 1)? == [RET] {
                returns.push(place);
            }
        }
        let is_known = !returns.is_empty() && returns.len() <= RETURNS_MAX;
        is_known.then_some(Function { entry: entry_place, returns })
    }

    /// Entry, counted from the text's, and place in the table of each function.
    fn functions(&self) -> impl Iterator<Item = (u32, usize)> {
        (0..self.functions).map_while(|number| {
            let at = self.places.checked_add(usize::try_from(number).ok()? * 8)?;
            let record = usize::try_from(self.word(at + 4)?).ok()?;
            Some((self.word(at)?, self.places.checked_add(record)?))
        })
    }

    /// Where, counted from the entry, the frame becomes empty again.
    fn empty_frames(&self, record: usize) -> Option<Vec<u64>> {
        let start = usize::try_from(self.word(record + 16)?).ok()?;
        let mut bytes = self.bytes.get(self.steps.checked_add(start)?..)?.iter().copied();
        let (mut at, mut frame, mut found) = (0_u64, -1_i64, Vec::new());
        for step in 0..STEPS_MAX {
            let change = varint(&mut bytes)?;
            if change == 0 && 0 < step {
                break;
            }
            // The lowest bit is the sign.
            let half = i64::from(change >> 1);
            frame += if change & 1 == 0 { half } else { -half - 1 };
            if frame == 0 && 0 < at {
                found.push(at);
            }
            at += u64::from(varint(&mut bytes)?);
        }
        Some(found)
    }

    fn word(&self, at: usize) -> Option<u32> {
        u32_at(&self.bytes, at)
    }
}

/// A number of seven bits a byte, the lowest first.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let byte = bytes.next()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_number_may_take_several_bytes_and_may_not_end_early() {
        let number = |bytes: &[u8]| varint(&mut bytes.iter().copied());
        assert_eq!(number(&[0x85, 0x02]), Some(261));
        assert_eq!(number(&[0x85]), None);
        assert_eq!(number(&[0xff; 9]), None);
    }

    #[test]
    fn a_program_of_another_language_has_no_table() {
        let file = File::open("/proc/self/exe").expect("this program");
        let elf = Elf::open(&file).expect("ELF");
        assert!(Table::of(&elf).is_none());
    }

    /// A table of one function `f` at the start of this program's text.
    fn table(elf: &Elf<'_>, steps: &[u8]) -> Vec<u8> {
        let mut bytes = MAGICS[1].to_le_bytes().to_vec();
        bytes.extend([0, 0, 1, 8]);
        let text = elf.section(".text").expect("text").address;
        // Count, files, text, then names, units, files, steps, places.
        for word in [1, 0, text, 72, 0, 0, 100, 80] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(*b"f\0\0\0\0\0\0\0");
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.resize(100, 0);
        bytes.extend(steps);
        bytes
    }

    #[test]
    fn a_function_whose_steps_never_end_is_given_up() {
        let file = File::open("/proc/self/exe").expect("this program");
        let elf = Elf::open(&file).expect("ELF");
        let read = Table::read(&elf, table(&elf, &[2, 1].repeat(STEPS_MAX * 2))).expect("a table");
        assert!(read.functions <= FUNCTIONS_MAX && read.function("f").is_none());
        assert!(read.function("g").is_none());
        const { assert!(RETURNS_MAX < STEPS_MAX) };
    }

    #[test]
    fn a_table_cut_anywhere_is_no_table_or_has_no_function() {
        let file = File::open("/proc/self/exe").expect("this program");
        let elf = Elf::open(&file).expect("ELF");
        let whole = table(&elf, &[2, 1, 0]);
        for length in 0..whole.len() {
            let cut = Table::read(&elf, whole[..length].to_vec());
            assert!(cut.is_none_or(|table| table.function("f").is_none()), "{length}");
        }
    }
}
