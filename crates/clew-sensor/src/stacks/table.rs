//! Finds in an ELF file how a function of it is left, by the table that exceptions unwind by.
//!
//! Programs without debugging information have it too: the System V ABI for x86-64 demands it of
//! every function. The file belongs to a watched workload and so is hostile: each part is read at
//! its place and within bounds, nothing is kept but the rows that were asked for, and nothing of
//! the file is held open.
//! Layouts: `elf.h`; Linux Standard Base 5.0 Core, 10.6.2 (`.eh_frame_hdr`).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::cfi::{Common, Row};
use super::memory::FileKey;

/// Rows that are remembered; then all are forgotten.
pub(super) const ROWS_MAX: usize = 16_384;
/// Segments of one file.
pub(super) const SEGMENTS_MAX: usize = 256;
/// Bytes of one function's entry; those of the largest functions of browsers have a few thousand.
pub(super) const ENTRY_BYTES_MAX: u32 = 1 << 16;

const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
const LOADED: u32 = 1;
/// `PT_GNU_EH_FRAME`.
const TABLE: u32 = 0x6474_e550;
/// Version 1; a pointer `pcrel | sdata4`, a count `udata4`, a table `datarel | sdata4`: what every
/// linker writes.
const TABLE_HEADER: [u8; 4] = [1, 0x1b, 3, 0x3b];
const TABLE_HEADER_BYTES: u64 = 12;
const TABLE_ROW_BYTES: u64 = 8;
/// Bytes of the longest call through a register or memory.
const CALL_BYTES: usize = 7;

/// What was found in files so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    rows: BTreeMap<(FileKey, u64), Option<Row>>,
}

/// A part of the file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

impl Tables {
    /// How a function is left at a place of the file; `open` opens it where that is not known.
    pub(super) fn row(
        &mut self,
        key: FileKey,
        place: u64,
        open: impl FnOnce() -> Option<File>,
    ) -> Option<Row> {
        if let Some(known) = self.rows.get(&(key, place)) {
            return *known;
        }
        // A file that cannot be opened now may be another time.
        let row = read_row(&open()?, place);
        if ROWS_MAX <= self.rows.len() {
            self.rows.clear();
        }
        self.rows.insert((key, place), row);
        row
    }
}

/// Whether the instruction before a place of the file is a call.
pub(super) fn is_behind_call(file: &File, place: u64) -> bool {
    let before = u64::try_from(CALL_BYTES).ok().and_then(|bytes| place.checked_sub(bytes));
    let bytes = before.and_then(|before| read(file, before, CALL_BYTES));
    bytes.is_some_and(|bytes| ends_in_call(&bytes))
}

/// Whether the last bytes may be a call: `e8` and a distance, or `ff /2` in any form.
fn ends_in_call(bytes: &[u8]) -> bool {
    let before_end = |count: usize| bytes.len().checked_sub(count).and_then(|at| bytes.get(at));
    before_end(5) == Some(&0xe8)
        || (2..=CALL_BYTES).any(|count| {
            before_end(count) == Some(&0xff)
                && before_end(count - 1).is_some_and(|operand| (operand >> 3) & 7 == 2)
        })
}

fn read_row(file: &File, place: u64) -> Option<Row> {
    let segments = segments(file)?;
    let address = address_of(&segments, place)?;
    let table = segments.iter().find(|segment| segment.kind == TABLE)?;
    let (start, entry) = find_entry(file, table, address)?;
    let entry = offset_of(&segments, entry)?;
    let (common, function) = read_entry(file, entry)?;
    common.row(&function, address.checked_sub(start)?)
}

fn segments(file: &File) -> Option<Vec<Segment>> {
    let header = read(file, 0, HEADER_BYTES)?;
    let (size, count) = (u16_at(&header, 54)?, usize::from(u16_at(&header, 56)?));
    if !header.starts_with(b"\x7fELF\x02\x01")
        || usize::from(size) != SEGMENT_BYTES
        || SEGMENTS_MAX < count
    {
        return None;
    }
    let table = read(file, u64_at(&header, 32)?, count * SEGMENT_BYTES)?;
    let segment = |bytes: &[u8]| {
        Some(Segment {
            kind: u32_at(bytes, 0)?,
            offset: u64_at(bytes, 8)?,
            address: u64_at(bytes, 16)?,
            size: u64_at(bytes, 32)?,
        })
    };
    Some(table.chunks_exact(SEGMENT_BYTES).filter_map(segment).collect())
}

/// The address that a place of the file is mapped at, as the file itself counts.
fn address_of(segments: &[Segment], place: u64) -> Option<u64> {
    let holds =
        |of: &&Segment| of.kind == LOADED && of.offset <= place && place - of.offset < of.size;
    let segment = segments.iter().find(holds)?;
    segment.address.checked_add(place - segment.offset)
}

fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    let holds = |of: &&Segment| {
        of.kind == LOADED && of.address <= address && address - of.address < of.size
    };
    let segment = segments.iter().find(holds)?;
    segment.offset.checked_add(address - segment.address)
}

/// Start of the function around `address` and where its entry is, both as addresses.
fn find_entry(file: &File, table: &Segment, address: u64) -> Option<(u64, u64)> {
    let header = read(file, table.offset, usize::try_from(TABLE_HEADER_BYTES).ok()?)?;
    if !header.starts_with(&TABLE_HEADER) {
        return None;
    }
    let rows = u64::from(u32_at(&header, 8)?);
    if table.size < TABLE_HEADER_BYTES.checked_add(rows.checked_mul(TABLE_ROW_BYTES)?)? {
        return None;
    }
    let first = table.offset.checked_add(TABLE_HEADER_BYTES)?;
    let row = |index: u64| {
        let bytes = read(file, first.checked_add(index * TABLE_ROW_BYTES)?, 8)?;
        let address =
            |at| table.address.checked_add_signed(u32_at(&bytes, at)?.cast_signed().into());
        Some((address(0)?, address(4)?))
    };
    // The last row that begins at or before the address.
    let (mut low, mut high) = (0, rows);
    while low < high {
        let middle = low + (high - low) / 2;
        if row(middle)?.0 <= address {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    row(low.checked_sub(1)?)
}

/// The entry of a function at a place of the file, and what it has in common with others.
fn read_entry(file: &File, place: u64) -> Option<(Common, Vec<u8>)> {
    let (function, pointer) = read_body(file, place)?;
    let common = place.checked_add(4)?.checked_sub(pointer.into()).filter(|_| pointer != 0)?;
    let (common, id) = read_body(file, common)?;
    Some((Common::read(&common).filter(|_| id == 0)?, function))
}

/// What follows length and id of an entry, and the id.
fn read_body(file: &File, place: u64) -> Option<(Vec<u8>, u32)> {
    let head = read(file, place, 8)?;
    let (length, id) = (u32_at(&head, 0)?, u32_at(&head, 4)?);
    if !(4..=ENTRY_BYTES_MAX).contains(&length) {
        return None;
    }
    Some((read(file, place.checked_add(8)?, usize::try_from(length - 4).ok()?)?, id))
}

fn read(file: &File, offset: u64, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::cfi::{End, Saved};
    use super::*;
    use proptest::prelude::*;

    fn own() -> File {
        File::open("/proc/self/exe").expect("this program")
    }

    /// Where this program's function `main` or any other lies is not known here, but every row of
    /// its table must be readable and say where the return address is.
    #[test]
    fn functions_of_this_program_are_left_by_the_return_address_below_their_end() {
        let file = own();
        let segments = segments(&file).expect("an ELF file");
        let table = segments.iter().find(|of| of.kind == TABLE).expect("a table");
        let (start, _) = find_entry(&file, table, u64::MAX).expect("a last row");
        let mut found = 0;
        for address in (start.saturating_sub(100_000)..start).step_by(1_000) {
            let Some(place) = offset_of(&segments, address) else { continue };
            let Some(row) = read_row(&file, place) else { continue };
            assert_eq!(row.return_address, Saved::AboveEnd(-8));
            assert!(matches!(row.end, Some(End::OverStack(8..) | End::OverBase(_))));
            found += 1;
        }
        assert!(found > 10, "{found} rows");
    }

    #[test]
    fn a_row_is_read_once_and_forgotten_beyond_the_bound() {
        let mut tables = Tables::default();
        let key = FileKey::default();
        assert_eq!(tables.row(key, 0, || None), None);
        assert!(tables.rows.is_empty(), "it may be opened another time");
        for place in 0..=ROWS_MAX as u64 {
            tables.rows.insert((key, place), None);
        }
        tables.row(key, u64::MAX, || Some(own()));
        assert_eq!(tables.rows.len(), 1);
        assert_eq!(tables.row(key, u64::MAX, || panic!("it is known")), None);
    }

    #[test]
    fn calls_are_told_from_other_instructions() {
        let check = |bytes: &[u8], is_call| assert_eq!(ends_in_call(bytes), is_call, "{bytes:x?}");
        check(b"\x90\x90\xe8\x01\x02\x03\x04", true);
        check(b"\x90\x90\x90\x90\x90\xff\xd0", true);
        check(b"\x90\x90\x90\x90\xff\x50\x08", true);
        check(b"\x90\x90\x90\x90\x90\xff\xe0", false);
        check(b"\x90\x90\x90\x90\x90\x90\x90", false);
        check(b"\xff", false);
    }

    #[test]
    fn entries_and_segments_beyond_their_bounds_are_not_read() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut header = vec![0; HEADER_BYTES];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[54] = u8::try_from(SEGMENT_BYTES).expect("small");
        header[56..58]
            .copy_from_slice(&u16::try_from(SEGMENTS_MAX + 1).expect("small").to_le_bytes());
        header.extend_from_slice(&vec![0; (SEGMENTS_MAX + 1) * SEGMENT_BYTES]);
        file.write_all(&header).expect("written");
        assert!(segments(&file).is_none());
        let mut long = tempfile::tempfile().expect("a file");
        long.write_all(&(ENTRY_BYTES_MAX + 1).to_le_bytes()).expect("written");
        long.set_len(u64::from(ENTRY_BYTES_MAX) * 2).expect("longer");
        assert!(read_body(&long, 0).is_none());
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(
            changes in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..32),
            place in 0_u64..4096,
        ) {
            let mut bytes = read(&own(), 0, 4096).unwrap_or_default();
            for (at, byte) in changes {
                if let Some(changed) = bytes.get_mut(at) {
                    *changed = byte;
                }
            }
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&bytes).expect("written");
            read_row(&file, place);
        }
    }
}
