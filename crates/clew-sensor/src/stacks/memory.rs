//! What code a process has in its memory: files and what a runtime made.
//!
//! `/proc/PID/maps` tells of the memory that the process has now, which after an exec is another
//! one than that of the stack. So the list is taken only where the program's arguments lie where
//! they lay then (the kernel puts them at a random place at each exec), and it is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use clew_event::Text;

/// Lists that are kept; then the one longest not asked for goes.
pub(super) const IMAGES_MAX: usize = 256;
/// Bytes of one list that are read.
pub(super) const MAPS_BYTES_MAX: u64 = 8 << 20;
/// Pieces of code of one process that are kept.
pub(super) const MAPPINGS_MAX: usize = 8_192;
/// How long a list is believed to be whole.
const WHOLE_SPAN_NS: u64 = 100_000_000;
/// Field of `/proc/PID/stat` that has the place of the arguments, counted behind the name.
const ARGUMENTS_FIELD: usize = 45;

/// A file, wherever it is seen from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileKey {
    device: (u32, u32),
    inode: u64,
}

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    end: u64,
    offset: u64,
    /// `None` for what a runtime made, and for what the kernel gives to all.
    pub(super) key: Option<FileKey>,
    /// As the process sees it; empty for what a runtime made.
    pub(super) path: Text,
}

/// The code of one process at one time.
#[derive(Debug, Default)]
pub(super) struct Image {
    /// By whose entry in `/proc` it was read, and its files are opened.
    pub(super) pid: u32,
    mappings: Vec<Mapping>,
    /// Names that a runtime gave to addresses; an empty one where it gave none.
    pub(super) names: BTreeMap<u64, Text>,
    pub(super) named_ns: u64,
    read_ns: u64,
    used: u64,
}

/// The code of the processes whose stacks were told.
#[derive(Debug, Default)]
pub(super) struct Images {
    images: BTreeMap<(u32, u64), Image>,
    turn: u64,
}

impl Images {
    /// The memory named `image` of the first of `pids` that has it.
    pub(super) fn find(&mut self, pids: &[u32], image: u64, now_ns: u64) -> Option<&mut Image> {
        let known = pids.iter().map(|&pid| (pid, image)).find(|key| self.images.contains_key(key));
        let key = known.or_else(|| {
            let (pid, read) =
                pids.iter().find_map(|&pid| Some((pid, Image::read(pid, image, now_ns)?)))?;
            self.keep((pid, image), read);
            Some((pid, image))
        })?;
        self.turn += 1;
        let found = self.images.get_mut(&key)?;
        found.used = self.turn;
        Some(found)
    }

    fn keep(&mut self, key: (u32, u64), image: Image) {
        if IMAGES_MAX <= self.images.len() && !self.images.contains_key(&key) {
            let oldest = self.images.iter().min_by_key(|(_, image)| image.used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.images.remove(&oldest);
            }
        }
        self.images.insert(key, image);
    }
}

impl Image {
    /// Reads the code of a process; `None` where it runs another program by now, or is gone.
    fn read(pid: u32, image: u64, now_ns: u64) -> Option<Self> {
        let mut text = Vec::new();
        let file = File::open(format!("/proc/{pid}/maps")).ok()?;
        // What was read before an error is good; a text over the bound is cut in a line.
        drop(file.take(MAPS_BYTES_MAX).read_to_end(&mut text));
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let mappings = mappings(&text);
        (arguments_at(&stat) == Some(image)).then_some(Self {
            pid,
            mappings,
            read_ns: now_ns,
            ..Self::default()
        })
    }

    /// Reads anew what lacks something; false where that was done just now, or cannot be.
    pub(super) fn refresh(&mut self, image: u64, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.read_ns) < WHOLE_SPAN_NS {
            return false;
        }
        self.read_ns = now_ns;
        let read = Self::read(self.pid, image, now_ns);
        let is_read = read.is_some();
        self.mappings = read.map_or_else(|| std::mem::take(&mut self.mappings), |it| it.mappings);
        is_read
    }

    /// That of a list, for tests.
    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self { mappings: mappings(text.as_bytes()), ..Self::default() }
    }

    /// The piece of code at that address.
    pub(super) fn at(&self, address: u64) -> Option<&Mapping> {
        let behind = self.mappings.partition_point(|mapping| mapping.start <= address);
        let mapping = self.mappings.get(behind.checked_sub(1)?)?;
        (address < mapping.end).then_some(mapping)
    }
}

impl Mapping {
    /// Where in the file what has that address lies.
    pub(super) fn place(&self, address: u64) -> u64 {
        address.saturating_sub(self.start).saturating_add(self.offset)
    }

    /// The file, by the mapping itself: no path leads elsewhere.
    pub(super) fn open(&self, pid: u32) -> Option<File> {
        let (start, end) = (self.start, self.end);
        let file = File::open(format!("/proc/{pid}/map_files/{start:x}-{end:x}")).ok()?;
        file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
    }

    /// One line of the list (`proc_pid_maps(5)`), where it is of code.
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let mut field = || std::str::from_utf8(fields.next()?).ok();
        let (range, rights, offset, device, inode) =
            (field()?, field()?, field()?, field()?, field()?);
        let path = fields.next().unwrap_or_default().trim_ascii_start();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let part = |text: &str| u32::from_str_radix(text, 16).ok();
        let (start, end) = range.split_once('-')?;
        let (major, minor) = device.split_once(':')?;
        let inode = inode.parse().ok()?;
        let key = FileKey { device: (part(major)?, part(minor)?), inode };
        let is_made = inode == 0 && (path.is_empty() || path.starts_with(b"[anon"));
        rights.contains('x').then_some(Self {
            start: number(start)?,
            end: number(end)?,
            offset: number(offset)?,
            key: (inode != 0).then_some(key),
            path: if is_made { Text::default() } else { path.into() },
        })
    }
}

/// The pieces of code of a list, in order of their addresses.
fn mappings(text: &[u8]) -> Vec<Mapping> {
    let lines = text.split(|&byte| byte == b'\n');
    let mut mappings: Vec<_> = lines.filter_map(Mapping::read).take(MAPPINGS_MAX).collect();
    mappings.sort_by_key(|mapping| mapping.start);
    mappings
}

/// Where the arguments of a process lie, by its `/proc/PID/stat`; its name may hold anything.
fn arguments_at(stat: &[u8]) -> Option<u64> {
    let behind = memchr::memrchr(b')', stat)?;
    let fields = std::str::from_utf8(stat.get(behind + 1..)?).ok()?;
    let address = fields.split_ascii_whitespace().nth(ARGUMENTS_FIELD)?.parse().ok()?;
    (address != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_code_is_read_whatever_its_path() {
        let check = |line: &[u8], expected: Option<(u64, &str)>| {
            let read = Mapping::read(line);
            let read = read.as_ref().map(|read| (read.place(0x1010), read.path.to_string()));
            assert_eq!(read, expected.map(|(place, path)| (place, path.to_owned())));
        };
        let line = b"1000-2000 r-xp 00000300 fe:01 1835       /usr/lib/lib a.so (deleted)";
        check(line, Some((0x310, "/usr/lib/lib a.so (deleted)")));
        check(b"1000-2000 rwxp 00000000 00:00 0", Some((0x10, "")));
        check(b"1000-2000 rwxp 00000000 00:00 0    [anon:v8]", Some((0x10, "")));
        check(b"1000-2000 r-xp 00000000 00:00 0    [vdso]", Some((0x10, "[vdso]")));
        check(b"1000-2000 r--p 00000000 fe:01 1835 /usr/lib/liba.so", None);
        check(b"zzzz-2000 r-xp 00000000 fe:01 1835 /usr/lib/liba.so", None);
        check(b"1000 r-xp", None);
        check(b"", None);
        let bytes = Mapping::read(b"1000-2000 r-xp 0 fe:01 1 /\xff").expect("a line");
        assert_eq!(bytes.path.as_bytes(), b"/\xff");
    }

    #[test]
    fn no_more_than_mappings_max_are_kept() {
        let line = |at: usize| format!("{at:x}-{:x} r-xp 0 fe:01 1 /a\n", at + 1);
        let text: String = (0..=MAPPINGS_MAX).map(line).collect();
        assert_eq!(mappings(text.as_bytes()).len(), MAPPINGS_MAX);
        const { assert!(MAPS_BYTES_MAX < 1 << 30) };
    }

    #[test]
    fn a_name_with_a_bracket_does_not_move_the_place_of_the_arguments() {
        let mut stat = b"7 (a) b) ".to_vec();
        stat.extend((0..50).flat_map(|field| format!("{field} ").into_bytes()));
        assert_eq!(arguments_at(&stat), Some(45));
        assert_eq!(arguments_at(b"7 (a"), None);
    }

    #[test]
    fn this_process_is_known_by_where_its_arguments_lie_and_by_nothing_else() {
        let pid = std::process::id();
        let stat = std::fs::read("/proc/self/stat").expect("readable");
        let image = arguments_at(&stat).expect("told");
        let mut images = Images::default();
        assert!(images.find(&[pid], image + 1, 1).is_none());
        let found = images.find(&[0, pid], image, 1).expect("it runs");
        let code = u64::try_from(arguments_at as fn(&[u8]) -> Option<u64> as usize).expect("small");
        let mapping = found.at(code).expect("code");
        assert!(mapping.open(pid).is_some());
        let own = std::env::current_exe().expect("a path");
        assert_eq!(mapping.path.to_string(), own.display().to_string());
        assert!(found.at(0).is_none());
        assert!(!found.refresh(image, 1) && found.refresh(image, 1 + WHOLE_SPAN_NS));
        assert!(found.at(code).is_some());
    }

    #[test]
    fn beyond_images_max_the_one_longest_not_asked_for_goes() {
        let mut images = Images::default();
        for image in 0..IMAGES_MAX as u64 {
            images.keep((1, image), Image { read_ns: 1, ..Image::default() });
        }
        assert!(images.find(&[1], 0, 1).is_some());
        images.keep((1, u64::MAX), Image::default());
        assert_eq!(images.images.len(), IMAGES_MAX);
        assert!(images.images.contains_key(&(1, 0)) && !images.images.contains_key(&(1, 1)));
    }
}
