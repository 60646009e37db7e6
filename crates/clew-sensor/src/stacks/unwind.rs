//! Walks a copied stack from the innermost call outwards.
//!
//! Each step is taken by the file's own table where it has one; else, the innermost, by the last
//! word; else by the base pointer, as code made by Go and by most runtimes keeps it; else the next
//! word is searched that is the return address of a call, and what is found so is only likely: it
//! may be left over from an earlier one.

use clew_decode::kernel::Stack;

use super::cfi::{End, Row, Saved};
use super::memory::{Image, Mapping};
use super::table::{Tables, is_behind_call};

/// Steps that one walk takes.
pub(super) const STEPS_MAX: usize = 256;
/// Words of a stack that one walk searches.
pub(super) const SEARCHED_WORDS_MAX: usize = 512;
/// Words that look like code and whose instruction before is looked at.
pub(super) const CALLS_LOOKED_AT_MAX: usize = 32;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// An address within the instruction that called, or the one that goes on.
    pub(super) address: u64,
    pub(super) is_likely: bool,
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The outermost call was reached.
    Whole,
    /// There is code that the list of mappings lacks.
    UnknownCode,
    /// The copy ends, or what follows cannot be told.
    Cut,
}

/// A walk over one stack.
pub(super) struct Walk<'a> {
    stack: &'a Stack<'a>,
    image: &'a Image,
    tables: &'a mut Tables,
    calls: Vec<Call>,
    searched: usize,
    looked_at: usize,
}

/// What is known of the caller.
#[derive(Clone, Copy, Debug)]
struct Registers {
    ip: u64,
    sp: u64,
    bp: u64,
    is_likely: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(stack: &'a Stack<'a>, image: &'a Image, tables: &'a mut Tables) -> Self {
        Self { stack, image, tables, calls: Vec::new(), searched: 0, looked_at: 0 }
    }

    /// The calls from the innermost outwards.
    pub(super) fn calls(mut self) -> (Vec<Call>, Ending) {
        let Stack { ip, sp, bp, .. } = *self.stack;
        let mut at = Registers { ip, sp, bp, is_likely: false };
        let image = self.image;
        while self.calls.len() < STEPS_MAX {
            // A call may be the last instruction of its function.
            let address = if self.calls.is_empty() { at.ip } else { at.ip.saturating_sub(1) };
            let Some(mapping) = image.at(address) else {
                return (self.calls, Ending::UnknownCode);
            };
            self.calls.push(Call { address, is_likely: at.is_likely });
            let row = mapping.key.and_then(|key| {
                let place = mapping.place(address);
                self.tables.row(key, place, || mapping.open(image.pid))
            });
            if row.is_some_and(|row| row.return_address == Saved::Nowhere) {
                return (self.calls, Ending::Whole);
            }
            let next = match row {
                Some(row) => self.by_table(&at, row),
                None => (self.by_word(&at).filter(|_| self.calls.len() == 1))
                    .or_else(|| self.by_base_pointer(&at))
                    .or_else(|| self.by_search(&at)),
            };
            match next {
                Some(next) if next.ip == 0 => return (self.calls, Ending::Whole),
                Some(next) if at.sp < next.sp => at = next,
                Some(_) | None => break,
            }
        }
        (self.calls, Ending::Cut)
    }

    fn by_table(&self, at: &Registers, row: Row) -> Option<Registers> {
        let end = match row.end? {
            End::OverStack(distance) => at.sp.checked_add_signed(distance)?,
            End::OverBase(distance) => at.bp.checked_add_signed(distance)?,
            End::KeptOverBase(distance) => self.word(at.bp.checked_add_signed(distance)?)?,
        };
        let saved = |saved, in_register: Option<u64>| match saved {
            Saved::Same => in_register,
            Saved::AboveEnd(distance) => self.word(end.checked_add_signed(distance)?),
            Saved::AboveBasePointer(distance) => self.word(at.bp.checked_add_signed(distance)?),
            Saved::Nowhere | Saved::Unknown => None,
        };
        Some(Registers {
            ip: saved(row.return_address, None)?,
            sp: end,
            // Most callers do without it, so a lost one ends the walk only where it is needed.
            bp: saved(row.base_pointer, Some(at.bp)).unwrap_or(0),
            is_likely: at.is_likely,
        })
    }

    /// What makes the system call may be a few instructions without a frame: glibc's `clone`, Go's.
    fn by_word(&mut self, at: &Registers) -> Option<Registers> {
        let ip = self.word(at.sp)?;
        let mapping = self.image.at(ip.checked_sub(1)?)?;
        self.is_call(mapping, ip).then_some(Registers { ip, sp: at.sp.checked_add(8)?, ..*at })
    }

    /// A base pointer of 0 marks the outermost frame (System V ABI for x86-64, 3.4.1).
    fn by_base_pointer(&self, at: &Registers) -> Option<Registers> {
        if at.bp == 0 {
            return Some(Registers { ip: 0, ..*at });
        }
        let ip = self.word(at.bp.checked_add(8)?)?;
        let next = Registers {
            ip,
            sp: at.bp.checked_add(16)?,
            bp: self.word(at.bp)?,
            is_likely: at.is_likely,
        };
        (ip == 0 || self.image.at(ip.checked_sub(1)?).is_some()).then_some(next)
    }

    fn by_search(&mut self, at: &Registers) -> Option<Registers> {
        let mut place = at.sp;
        while self.searched < SEARCHED_WORDS_MAX {
            self.searched += 1;
            let ip = self.word(place)?;
            place += 8;
            let mapping = ip.checked_sub(1).and_then(|before| self.image.at(before));
            if mapping.is_some_and(|mapping| self.is_call(mapping, ip)) {
                return Some(Registers { ip, sp: place, bp: at.bp, is_likely: true });
            }
        }
        None
    }

    fn is_call(&mut self, mapping: &Mapping, ip: u64) -> bool {
        if mapping.key.is_none() || CALLS_LOOKED_AT_MAX <= self.looked_at {
            return false;
        }
        self.looked_at += 1;
        let file = mapping.open(self.image.pid);
        file.is_some_and(|file| is_behind_call(&file, mapping.place(ip)))
    }

    /// A word of the copied stack.
    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.stack.sp)?).ok()?;
        self.stack.bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use clew_decode::kernel::Decoder;
    use clew_event::{BootId, TimestampNs};
    use clew_wire::as_bytes;
    use clew_wire::limits::{KIND_STACK, STACK_AT_CALL, WIRE_VERSION};
    use clew_wire::record::{Header, Stack as Record, TextRef};

    use super::super::memory::Images;
    use super::*;

    /// Code that a runtime made, which has no table.
    const MADE: &str = "1000-2000 rwxp 0 00:00 0\n";
    const SP: u64 = 0x7000;

    fn walk(image: &Image, (ip, bp): (u64, u64), words: &[u64]) -> (Vec<Call>, Ending) {
        let header = Header { kind: KIND_STACK, version: WIRE_VERSION, ..Header::default() };
        let offset = u16::try_from(size_of::<Record>()).expect("small");
        let size = u16::try_from(words.len() * 8).expect("small");
        let bytes = TextRef { offset, size, ..TextRef::default() };
        let fixed =
            Record { header, moment: STACK_AT_CALL, ip, sp: SP, bp, bytes, ..Record::default() };
        let mut record = as_bytes(&fixed).to_vec();
        words.iter().for_each(|word| record.extend_from_slice(&word.to_le_bytes()));
        let stack = Decoder::new(BootId(1), 0).stack(&record, TimestampNs::default());
        Walk::new(&stack.expect("whole"), image, &mut Tables::default()).calls()
    }

    fn addresses(walk: &(Vec<Call>, Ending)) -> (Vec<u64>, Ending) {
        (walk.0.iter().map(|call| call.address).collect(), walk.1)
    }

    #[test]
    fn code_without_a_table_is_left_by_the_base_pointer_until_it_is_0() {
        let image = Image::of(MADE);
        let stack = [SP + 16, 0, SP + 32, 0x1101, 0, 0x1201];
        let found = walk(&image, (0x1000, SP + 16), &stack);
        assert_eq!(addresses(&found), (vec![0x1000, 0x1100, 0x1200], Ending::Whole));
        assert!(found.0.iter().all(|call| !call.is_likely));
    }

    #[test]
    fn a_walk_tells_whether_code_is_unknown_or_the_copy_ends() {
        let image = Image::of(MADE);
        assert_eq!(addresses(&walk(&image, (0x9000, SP), &[])), (vec![], Ending::UnknownCode));
        let beyond = walk(&image, (0x1000, SP + 8), &[0, 0]);
        assert_eq!(addresses(&beyond), (vec![0x1000], Ending::Cut));
        let backwards = walk(&image, (0x1000, SP), &[SP, 0x1101]);
        assert_eq!(addresses(&backwards), (vec![0x1000, 0x1100], Ending::Cut));
    }

    #[test]
    fn a_walk_takes_at_most_steps_max_steps() {
        let image = Image::of(MADE);
        let chain = (1..=STEPS_MAX as u64 + 1).flat_map(|frame| [SP + 16 * frame, 0x1101]);
        let (calls, ending) = walk(&image, (0x1000, SP), &chain.collect::<Vec<_>>());
        assert_eq!((calls.len(), ending), (STEPS_MAX, Ending::Cut));
    }

    /// This process's memory, an address in it that follows a call, and one that does not; the
    /// innermost call is in what the kernel gives to all, which has no table that can be read.
    fn own() -> (Images, u64, [u64; 3]) {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("readable");
        let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
        let image: u64 = fields.clone().nth(45).expect("told").parse().expect("a number");
        let mut images = Images::default();
        let found = images.find(&[std::process::id()], image, 1).expect("it runs");
        let code = u64::try_from(addresses as fn(&(Vec<Call>, Ending)) -> _ as usize);
        let mapping = found.at(code.expect("small")).expect("code");
        let file = mapping.open(found.pid).expect("this program");
        let is_call = |at: &u64| is_behind_call(&file, mapping.place(*at));
        let range = mapping.start + 0x1000..mapping.start + 0x10000;
        let call = range.clone().find(is_call).expect("a call");
        let other = range.clone().find(|at| !is_call(at)).expect("no call");
        let given = std::fs::read_to_string("/proc/self/maps").expect("readable");
        let given = given.lines().find(|line| line.ends_with("[vdso]")).expect("given to all");
        let given = u64::from_str_radix(given.split('-').next().expect("a start"), 16);
        (images, image, [given.expect("a number"), call, other])
    }

    #[test]
    fn what_is_searched_follows_a_call_and_is_only_likely_within_bounds() {
        let (mut images, image, [given, call, other]) = own();
        let image = images.find(&[std::process::id()], image, 1).expect("kept");
        let check = |words: &[u64], is_found: bool| {
            let (calls, _) = walk(image, (given, 1), words);
            let likely = calls.get(1).filter(|found| found.address == call - 1);
            assert_eq!(likely.map(|found| found.is_likely), is_found.then_some(true));
        };
        let behind = |before: u64, count: usize| [vec![before; count], vec![call, 0]].concat();
        check(&behind(0, 3), true);
        check(&behind(other, 3), true);
        check(&behind(0, SEARCHED_WORDS_MAX - 1), true);
        check(&behind(0, SEARCHED_WORDS_MAX), false);
        // The first word was looked at once more, for a caller without a frame.
        check(&behind(other, CALLS_LOOKED_AT_MAX - 2), true);
        check(&behind(other, CALLS_LOOKED_AT_MAX), false);
    }

    #[test]
    fn the_innermost_code_may_have_no_frame_at_all() {
        let (mut images, image, [given, call, _]) = own();
        let image = images.find(&[std::process::id()], image, 1).expect("kept");
        let (calls, _) = walk(image, (given, 1), &[call, 0]);
        assert_eq!(calls.get(1), Some(&Call { address: call - 1, is_likely: false }));
    }
}
