//! The names that a runtime gave to code it made: `/tmp/perf-PID.map` of the process.
//!
//! The file is the process's own word and may hold anything: it is read within a bound, by the
//! process's own root and without following links out of it, and a name is only ever shown.
//! Format: `tools/perf/Documentation/jit-interface.txt` of the kernel: start and size in
//! hexadecimal, a name to the end of the line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use clew_event::Text;
use clew_event::stack::StackEvent;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// Bytes of such a file that are read.
pub(super) const NAMES_BYTES_MAX: u64 = 16 << 20;

/// The names of `addresses`; an empty one where the file has none, or there is no file.
pub(super) fn names(pid: u32, addresses: &[u64]) -> BTreeMap<u64, Text> {
    let mut text = Vec::new();
    if let Some(file) = open(pid) {
        drop(file.take(NAMES_BYTES_MAX).read_to_end(&mut text));
    }
    find(&text, addresses)
}

/// Of several names for one address the last holds: code is made anew where other code was.
fn find(text: &[u8], addresses: &[u64]) -> BTreeMap<u64, Text> {
    let mut found: BTreeMap<_, _> =
        addresses.iter().map(|&address| (address, Text::default())).collect();
    for line in text.split(|&byte| byte == b'\n') {
        let Some((start, end, name)) = read(line) else { continue };
        for (_, known) in found.range_mut(start..end) {
            *known = name.get(..StackEvent::SYMBOL_BYTES_MAX).unwrap_or(name).into();
        }
    }
    found
}

/// Start, end and name of one line; `None` where it is no such line, or of no bytes.
fn read(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut fields = line.splitn(3, |&byte| byte == b' ');
    let mut number = || {
        let text = std::str::from_utf8(fields.next()?).ok()?;
        u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let end = start.checked_add(size).filter(|end| start < *end)?;
    Some((start, end, fields.next()?))
}

fn open(pid: u32) -> Option<File> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let own: u32 = numbers.split_whitespace().next_back()?.parse().ok()?;
    let root = format!("/proc/{pid}/root");
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    // A pipe would keep the sensor waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let bounds = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = format!("tmp/perf-{own}.map");
    let file = File::from(openat2(root.ok()?, path, flags, Mode::empty(), bounds).ok()?);
    file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_last_name_of_the_range_it_is_in() {
        let text = b"1000 10 old\n1000 20 Lorg/apache/Log; with space\n2000 1 other\n";
        let found = find(text, &[0x101f, 0x1020, 0x2000]);
        assert_eq!(found[&0x101f], Text::from("Lorg/apache/Log; with space"));
        assert_eq!((&found[&0x1020], &found[&0x2000]), (&Text::default(), &Text::from("other")));
    }

    #[test]
    fn lines_of_other_forms_are_left_out() {
        let check = |line: &[u8]| assert_eq!(read(line), None);
        check(b"");
        check(b"1000 10");
        check(b"1000 0 empty");
        check(b"ffffffffffffffff 10 over the end");
        check(b"-1 10 negative");
        check(b"\xff 10 name");
        assert_eq!(read(b"0x10 0x1 \xff"), Some((0x10, 0x11, b"\xff".as_slice())));
    }

    #[test]
    fn long_names_are_cut_and_long_files_are_not_read_to_their_end() {
        let text = [b"1000 10 ".as_slice(), &[b'a'; 2 * StackEvent::SYMBOL_BYTES_MAX]].concat();
        let name = &find(&text, &[0x1000])[&0x1000];
        assert_eq!(name.as_bytes().len(), StackEvent::SYMBOL_BYTES_MAX);
        const { assert!(NAMES_BYTES_MAX <= 64 << 20) };
    }
}
