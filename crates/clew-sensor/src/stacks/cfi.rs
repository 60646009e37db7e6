//! Reads how a function is left: rows of call frame information, as `.eh_frame` holds them.
//!
//! Only what leads to the caller's return address, stack pointer and base pointer is followed, and
//! of expressions the one that compilers make for a realigned stack. The bytes are of a watched
//! workload's file and so hostile: whatever does not fit gives no row.
//! Formats: DWARF 5, 6.4; Linux Standard Base 5.0 Core, 10.6; registers by the System V ABI for
//! x86-64, 3.6.2.

/// States that may be remembered at once; compilers use one.
pub(super) const REMEMBERED_MAX: usize = 8;

const BASE_POINTER: u64 = 6;
const STACK_POINTER: u64 = 7;
const RETURN_ADDRESS: u64 = 16;
/// `DW_OP_breg6`, `DW_OP_deref`.
const OP_OF_BASE_POINTER: u8 = 0x76;
const OP_READ: u8 = 0x06;

/// Where the frame of a function ends, as the address above its return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// So far above the stack pointer.
    OverStack(i64),
    /// So far above the base pointer.
    OverBase(i64),
    /// Kept in memory, so far above the base pointer.
    KeptOverBase(i64),
}

/// Where a register of the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// In the register still.
    Same,
    /// In memory, so far above the end of the frame.
    AboveEnd(i64),
    /// In memory, so far above the base pointer.
    AboveBasePointer(i64),
    /// Nowhere: there is no caller.
    Nowhere,
    /// Where this reader does not follow.
    Unknown,
}

/// How a function is left at one of its instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) end: Option<End>,
    pub(super) return_address: Saved,
    pub(super) base_pointer: Saved,
}

impl Row {
    const NOTHING: Self =
        Self { end: None, return_address: Saved::Unknown, base_pointer: Saved::Same };
}

/// What functions of one compilation have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Common {
    code_unit: u64,
    data_unit: i64,
    address_bytes: usize,
    has_augmentation: bool,
    first: Row,
}

impl Common {
    /// Reads an entry of its bytes behind length and id.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = Cursor(bytes);
        let version = at.byte()?;
        let augmentation = at.until_nul()?;
        if !matches!(version, 1 | 3) || !matches!(augmentation.first(), None | Some(b'z')) {
            return None;
        }
        let (code_unit, data_unit) = (at.unsigned()?, at.signed()?);
        let register = if version == 1 { at.byte()?.into() } else { at.unsigned()? };
        let mut address_bytes = 8;
        let has_augmentation = !augmentation.is_empty();
        if has_augmentation {
            let length = usize::try_from(at.unsigned()?).ok()?;
            let mut told = Cursor(at.take(length)?);
            for letter in augmentation.get(1..)? {
                match letter {
                    b'R' => address_bytes = encoded_bytes(told.byte()?)?,
                    b'L' => drop(told.byte()?),
                    b'P' => {
                        let encoding = told.byte()?;
                        told.take(encoded_bytes(encoding)?)?;
                    }
                    // A frame that a signal made is no call.
                    _ => return None,
                }
            }
        }
        let mut common =
            Self { code_unit, data_unit, address_bytes, has_augmentation, first: Row::NOTHING };
        common.first = common.run(at.0, u64::MAX)?;
        (register == RETURN_ADDRESS).then_some(common)
    }

    /// The row for the instruction `distance` behind the function's start. `bytes` are those of the
    /// function's entry behind length and pointer to this one.
    pub(super) fn row(&self, bytes: &[u8], distance: u64) -> Option<Row> {
        let mut at = Cursor(bytes);
        at.take(self.address_bytes)?;
        let mut size = [0; 8];
        size.get_mut(..self.address_bytes)?.copy_from_slice(at.take(self.address_bytes)?);
        if u64::from_le_bytes(size) <= distance {
            return None;
        }
        if self.has_augmentation {
            let length = usize::try_from(at.unsigned()?).ok()?;
            at.take(length)?;
        }
        self.run(at.0, distance)
    }

    /// Follows instructions up to the one at `distance`.
    fn run(&self, bytes: &[u8], distance: u64) -> Option<Row> {
        let mut at = Cursor(bytes);
        let mut row = self.first;
        let (mut place, mut remembered) = (0_u64, Vec::new());
        while let Some(code) = at.byte() {
            let operand = u64::from(code & 0x3f);
            let step = match (code >> 6, code) {
                (1, _) => operand,
                (_, 2) => at.number(1)?,
                (_, 3) => at.number(2)?,
                (_, 4) => at.number(4)?,
                (2, _) => {
                    let offset = self.scaled(at.unsigned()?)?;
                    set(&mut row, operand, Saved::AboveEnd(offset));
                    continue;
                }
                (3, _) => {
                    self.restore(&mut row, operand);
                    continue;
                }
                (_, 0x0a) if remembered.len() < REMEMBERED_MAX => {
                    remembered.push(row);
                    continue;
                }
                (_, 0x0b) => {
                    row = remembered.pop()?;
                    continue;
                }
                _ => {
                    self.change(&mut row, code, &mut at)?;
                    continue;
                }
            };
            place = place.checked_add(step.checked_mul(self.code_unit)?)?;
            if distance < place {
                break;
            }
        }
        Some(row)
    }

    /// Follows one of the longer instructions.
    fn change(&self, row: &mut Row, code: u8, at: &mut Cursor<'_>) -> Option<()> {
        match code {
            0x00 => {}
            0x05 => {
                let (register, offset) = (at.unsigned()?, at.unsigned()?);
                set(row, register, Saved::AboveEnd(self.scaled(offset)?));
            }
            0x11 => {
                let (register, offset) = (at.unsigned()?, at.signed()?);
                set(row, register, Saved::AboveEnd(offset.checked_mul(self.data_unit)?));
            }
            0x06 => self.restore(row, at.unsigned()?),
            0x07 => set(row, at.unsigned()?, Saved::Nowhere),
            0x08 => set(row, at.unsigned()?, Saved::Same),
            0x09 | 0x14 => {
                set(row, at.unsigned()?, Saved::Unknown);
                at.unsigned()?;
            }
            0x15 => {
                set(row, at.unsigned()?, Saved::Unknown);
                at.signed()?;
            }
            0x0c => row.end = end(at.unsigned()?, i64::try_from(at.unsigned()?).ok()?),
            0x12 => row.end = end(at.unsigned()?, at.signed()?.checked_mul(self.data_unit)?),
            0x0d => row.end = end(at.unsigned()?, row.end?.distance()?),
            0x0e => row.end = Some(row.end?.with(i64::try_from(at.unsigned()?).ok()?)?),
            0x13 => row.end = Some(row.end?.with(at.signed()?.checked_mul(self.data_unit)?)?),
            0x0f => {
                let kept = above_base_pointer(at.block()?).filter(|(_, is_read)| *is_read);
                row.end = kept.map(|(distance, _)| End::KeptOverBase(distance));
            }
            0x10 => {
                let register = at.unsigned()?;
                let kept = above_base_pointer(at.block()?).filter(|(_, is_read)| !is_read);
                let saved = kept.map(|(distance, _)| Saved::AboveBasePointer(distance));
                set(row, register, saved.unwrap_or(Saved::Unknown));
            }
            0x16 => {
                set(row, at.unsigned()?, Saved::Unknown);
                at.block()?;
            }
            0x2e => drop(at.unsigned()?),
            _ => return None,
        }
        Some(())
    }

    fn restore(&self, row: &mut Row, register: u64) {
        match register {
            BASE_POINTER => row.base_pointer = self.first.base_pointer,
            RETURN_ADDRESS => row.return_address = self.first.return_address,
            _ => {}
        }
    }

    fn scaled(&self, offset: u64) -> Option<i64> {
        i64::try_from(offset).ok()?.checked_mul(self.data_unit)
    }
}

impl End {
    const fn distance(self) -> Option<i64> {
        match self {
            Self::OverStack(distance) | Self::OverBase(distance) => Some(distance),
            Self::KeptOverBase(_) => None,
        }
    }

    const fn with(self, distance: i64) -> Option<Self> {
        match self {
            Self::OverStack(_) => Some(Self::OverStack(distance)),
            Self::OverBase(_) => Some(Self::OverBase(distance)),
            Self::KeptOverBase(_) => None,
        }
    }
}

const fn end(register: u64, distance: i64) -> Option<End> {
    match register {
        STACK_POINTER => Some(End::OverStack(distance)),
        BASE_POINTER => Some(End::OverBase(distance)),
        _ => None,
    }
}

fn set(row: &mut Row, register: u64, saved: Saved) {
    match register {
        BASE_POINTER => row.base_pointer = saved,
        RETURN_ADDRESS => row.return_address = saved,
        _ => {}
    }
}

/// The distance of an expression that is the base pointer and a distance, and whether what lies
/// there is meant.
fn above_base_pointer(expression: &[u8]) -> Option<(i64, bool)> {
    let mut at = Cursor(expression);
    let code = at.byte()?;
    let distance = at.signed()?;
    let is_known = code == OP_OF_BASE_POINTER && matches!(at.0, [] | [OP_READ]);
    is_known.then_some((distance, !at.0.is_empty()))
}

/// Bytes that a pointer of that encoding takes (`DW_EH_PE_*`).
const fn encoded_bytes(encoding: u8) -> Option<usize> {
    match encoding & 0x0f {
        0x00 | 0x04 | 0x0c => Some(8),
        0x03 | 0x0b => Some(4),
        0x02 | 0x0a => Some(2),
        _ => None,
    }
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        let mut number = [0; 8];
        number.get_mut(..bytes)?.copy_from_slice(self.take(bytes)?);
        Some(u64::from_le_bytes(number))
    }

    fn until_nul(&mut self) -> Option<&'a [u8]> {
        let length = memchr::memchr(0, self.0)?;
        let text = self.take(length)?;
        self.byte()?;
        Some(text)
    }

    /// A number in groups of seven bits, and the bits that it has.
    fn groups(&mut self) -> Option<(u64, u32)> {
        let (mut number, mut bits) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(bits)?;
            bits += 7;
            if byte & 0x80 == 0 {
                return Some((number, bits));
            }
        }
    }

    fn unsigned(&mut self) -> Option<u64> {
        self.groups().map(|(number, _)| number)
    }

    fn signed(&mut self) -> Option<i64> {
        let (number, bits) = self.groups()?;
        let unused = 64_u32.saturating_sub(bits);
        Some((number << unused).cast_signed() >> unused)
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `gcc` puts before its functions: "zR", units 1 and -8, register 16, `pcrel | sdata4`,
    /// the frame ends 8 above the stack pointer, the return address lies below its end.
    const COMMON: &[u8] = b"\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01\0\0";

    fn entry(instructions: &[u8]) -> Vec<u8> {
        let size = 0x40_u32.to_le_bytes();
        [[0; 4].as_slice(), &size, &[0], instructions].concat()
    }

    fn row(instructions: &[u8], distance: u64) -> Option<Row> {
        Common::read(COMMON)?.row(&entry(instructions), distance)
    }

    /// `push %rbp; mov %rsp,%rbp; …; leave; ret`.
    const WITH_FRAME: &[u8] = b"\x41\x0e\x10\x86\x02\x43\x0d\x06\x50\x0c\x07\x08";

    #[test]
    fn a_function_with_a_frame_pointer_is_left_by_it_once_it_is_set() {
        let check = |distance, end, base_pointer| {
            let return_address = Saved::AboveEnd(-8);
            let expected = Row { end: Some(end), return_address, base_pointer };
            assert_eq!(row(WITH_FRAME, distance), Some(expected), "{distance}");
        };
        check(0, End::OverStack(8), Saved::Same);
        check(1, End::OverStack(16), Saved::AboveEnd(-16));
        check(4, End::OverBase(16), Saved::AboveEnd(-16));
        check(0x14, End::OverStack(8), Saved::AboveEnd(-16));
        assert_eq!(row(WITH_FRAME, 0x40), None);
    }

    #[test]
    fn a_realigned_stack_and_its_base_pointer_are_found() {
        let instructions = b"\x41\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00";
        let found = row(instructions, 2).expect("a row");
        assert_eq!(found.end, Some(End::KeptOverBase(-8)));
        assert_eq!(found.base_pointer, Saved::AboveBasePointer(0));
    }

    #[test]
    fn the_outermost_function_has_no_caller() {
        assert_eq!(row(b"\x07\x10", 0).map(|row| row.return_address), Some(Saved::Nowhere));
    }

    #[test]
    fn what_was_remembered_comes_back_within_its_bound() {
        let found = row(b"\x0a\x0e\x20\x41\x0b", 1).expect("a row");
        assert_eq!(found.end, Some(End::OverStack(8)));
        assert!(row(&[0x0a; REMEMBERED_MAX], 0).is_some());
        assert_eq!(row(&[0x0a; REMEMBERED_MAX + 1], 0), None);
        assert_eq!(row(b"\x0b", 0), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            common in proptest::collection::vec(any::<u8>(), 0..64),
            instructions in proptest::collection::vec(any::<u8>(), 0..64),
            distance in any::<u64>(),
        ) {
            Common::read(&common);
            Common::read(&[COMMON, &common].concat());
            row(&instructions, distance);
        }
    }
}
