//! The files that watched processes run, and the programs that are in them.
//!
//! A file is known by device and inode, whatever its name: containers of one image run the same
//! one, and it may have been replaced meanwhile. It is opened by the mapping itself where the
//! kernel allows it, so that what is looked at is what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use libbpf_rs::Link;

use super::attach::Programs;
use super::library::{Found, look, look_for_marks};

/// Files of watched processes that are remembered; further ones are not looked into.
pub(super) const FILES_MAX: usize = 4096;
/// Files that programs are in at the same time.
pub(super) const ATTACHED_MAX: usize = 256;
/// Bytes of the list of mappings of one process.
pub(super) const MAPPINGS_BYTES_MAX: u64 = 4 << 20;

/// A file, wherever it is seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileKey {
    device: (u32, u32),
    inode: u64,
}

/// A file that a process runs instructions from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) key: FileKey,
    /// First and last address, as the kernel names them.
    range: (u64, u64),
    /// As the process sees it.
    path: String,
}

/// What is known of a file while somebody runs it.
#[derive(Debug)]
struct Known {
    users: BTreeSet<u32>,
    path: String,
    /// Why it cannot be looked into, where that is so.
    blindness: Option<String>,
    /// What takes the programs out again.
    links: Vec<Link>,
}

/// All such files.
#[derive(Debug, Default)]
pub(super) struct Files {
    known: BTreeMap<FileKey, Known>,
    of_process: BTreeMap<u32, BTreeSet<FileKey>>,
    attached: usize,
    /// Files that were left out because there are too many.
    pub(super) refused: u64,
}

impl Files {
    /// Brings what is known of a process up to date with what it runs now.
    pub(super) fn update(&mut self, pid: u32, mapped: Vec<Mapped>, programs: &mut Programs) {
        let before = self.of_process.remove(&pid).unwrap_or_default();
        let mut now = BTreeSet::new();
        for file in mapped {
            if now.contains(&file.key) {
                continue;
            }
            if let Some(known) = self.known.get_mut(&file.key) {
                known.users.insert(pid);
            } else if self.known.len() < FILES_MAX {
                self.learn(pid, &file, programs);
            } else {
                self.refused += 1;
                continue;
            }
            now.insert(file.key);
        }
        for gone in before.difference(&now) {
            self.leave(pid, *gone);
        }
        self.of_process.insert(pid, now);
    }

    /// Forgets a process, and files that nobody else runs.
    pub(super) fn end(&mut self, pid: u32) {
        for key in self.of_process.remove(&pid).unwrap_or_default() {
            self.leave(pid, key);
        }
    }

    /// Processes that are known.
    pub(super) fn processes(&self) -> Vec<u32> {
        self.of_process.keys().copied().collect()
    }

    /// Path and number of users of each file that programs are in.
    pub(super) fn attached(&self) -> Vec<(String, usize)> {
        let attached = self.known.values().filter(|known| !known.links.is_empty());
        attached.map(|known| (known.path.clone(), known.users.len())).collect()
    }

    /// What of whom cannot be seen, in sentences.
    pub(super) fn blind_spots(&self) -> Vec<String> {
        let blind = self.known.values().filter_map(|known| {
            let reason = known.blindness.as_ref()?;
            Some(format!("What `{}` sends and receives by TLS is not seen: {reason}.", known.path))
        });
        blind.collect()
    }

    fn learn(&mut self, pid: u32, mapped: &Mapped, programs: &mut Programs) {
        let mut known = Known {
            users: BTreeSet::from([pid]),
            path: mapped.path.clone(),
            blindness: None,
            links: Vec::new(),
        };
        match mapped.open(pid).map(|file| (mapped.look(pid, &file), file)) {
            Some((Found::Probes(_), _)) if self.attached == ATTACHED_MAX => {
                self.refused += 1;
                known.blindness = Some(format!("{ATTACHED_MAX} other files are looked into"));
            }
            Some((Found::Probes(probes), file)) => {
                let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
                match programs.put_into(&path, &probes) {
                    Ok(links) => {
                        self.attached += 1;
                        known.links = links;
                    }
                    Err(error) => known.blindness = Some(format!("the kernel refused ({error})")),
                }
            }
            Some((Found::Blind(reason), _)) => known.blindness = Some(reason),
            Some((Found::Nothing, _)) | None => {}
        }
        self.known.insert(mapped.key, known);
    }

    fn leave(&mut self, pid: u32, key: FileKey) {
        let Some(known) = self.known.get_mut(&key) else { return };
        known.users.remove(&pid);
        if known.users.is_empty() {
            self.attached -= usize::from(!known.links.is_empty());
            self.known.remove(&key);
        }
    }
}

impl Mapped {
    /// What a process runs; empty where it has ended.
    pub(super) fn of(pid: u32) -> Vec<Self> {
        let mut text = Vec::new();
        let opened = File::open(format!("/proc/{pid}/maps"));
        let Ok(file) = opened else { return Vec::new() };
        // What was read before an error is good; a text over the bound is cut in a line.
        drop(file.take(MAPPINGS_BYTES_MAX).read_to_end(&mut text));
        String::from_utf8_lossy(&text).lines().filter_map(Self::read).collect()
    }

    /// One line of the list (`proc_pid_maps(5)`), where it is of a file that runs.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (range, rights) = (fields.next()?, fields.next()?);
        let (device, inode) = (fields.nth(1)?, fields.next()?.parse().ok()?);
        let path = fields.next()?.trim_start();
        let is_run = rights.contains('x') && inode != 0;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let part = |text: &str| u32::from_str_radix(text, 16).ok();
        let (start, end) = range.split_once('-')?;
        let (major, minor) = device.split_once(':')?;
        is_run.then_some(Self {
            key: FileKey { device: (part(major)?, part(minor)?), inode },
            range: (number(start)?, number(end)?),
            path: path.to_owned(),
        })
    }

    fn open(&self, pid: u32) -> Option<File> {
        let (start, end) = self.range;
        let mapping = File::open(format!("/proc/{pid}/map_files/{start:x}-{end:x}"));
        let file = mapping.or_else(|_| File::open(format!("/proc/{pid}/root{}", self.path)));
        file.ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
    }

    /// Marks are looked for in programs only: what they load has names.
    fn look(&self, pid: u32, file: &File) -> Found {
        let executable = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        match look(file) {
            Found::Nothing if executable.to_str() == Some(&self.path) => look_for_marks(file),
            found => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_mappings_only_files_that_run_are_taken() {
        let check = |line: &str| Mapped::read(line).map(|mapped| mapped.path);
        let line = "7f21-7f33 r-xp 00028000 fe:01 1835 /usr/lib/lib ssl.so.3 (deleted)";
        assert_eq!(check(line).as_deref(), Some("/usr/lib/lib ssl.so.3 (deleted)"));
        assert_eq!(check("7f21-7f33 r--p 00028000 fe:01 1835 /usr/lib/libssl.so.3"), None);
        assert_eq!(check("7ffc-7ffd r-xp 00000000 00:00 0     [vdso]"), None);
        assert_eq!(check("7f21-7f33 r-xp 00000000 00:00 0"), None);
        assert_eq!(check(""), None);
    }

    #[test]
    fn this_process_runs_its_own_program_which_can_be_opened() {
        let mapped = Mapped::of(std::process::id());
        let own = std::env::current_exe().expect("a path").display().to_string();
        let own = mapped.iter().find(|mapped| mapped.path == own).expect("it runs");
        assert!(own.open(std::process::id()).is_some());
        const { assert!(MAPPINGS_BYTES_MAX < 1 << 30 && ATTACHED_MAX <= FILES_MAX) };
    }
}
