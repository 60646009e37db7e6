//! Users and groups, from the account files of the host and of containers.
//!
//! A container's files are the attacker's: `/etc/passwd` may be a link out of the container, a
//! pipe, or endless. So they are resolved inside the container's root (`openat2` with
//! `RESOLVE_IN_ROOT`, Linux 5.6), only regular files are read, and of those the first
//! [`FILE_BYTES_MAX`] bytes.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use clew_event::container::AccountEvent;
use clew_event::{ContainerId, Text};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

/// Bytes that are read of one account file.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;
/// Users, and groups, that are told of one place; the rest is counted.
pub(crate) const ACCOUNTS_MAX: usize = 1024;

/// What the account files of one place say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Accounts {
    pub(crate) told: Vec<AccountEvent>,
    pub(crate) dropped: u64,
}

/// Users and groups of the machine itself.
pub(crate) fn of_host() -> Accounts {
    open(Path::new("/")).map(|root| below(&root, None)).unwrap_or_default()
}

/// Users and groups of the container that process `pid` runs in; none where that process is no
/// longer in the container.
pub(crate) fn of_container(pid: u32, container: &ContainerId) -> Accounts {
    // Opened before the look at the cgroup: whoever gets the pid next, it stays this root.
    let root = open(Path::new(&format!("/proc/{pid}/root")));
    match root {
        Some(root) if is_inside(pid, container) => below(&root, Some(container)),
        Some(_) | None => Accounts::default(),
    }
}

/// Whether the process's cgroup names the container.
fn is_inside(pid: u32, container: &ContainerId) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .is_ok_and(|cgroups| cgroups.contains(&*container.0))
}

fn open(root: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, root, flags, Mode::empty()).ok()
}

fn below(root: &OwnedFd, container: Option<&ContainerId>) -> Accounts {
    let mut accounts = Accounts::default();
    for (path, is_group) in [("etc/passwd", false), ("etc/group", true)] {
        let Some(text) = read_inside(root, path) else { continue };
        add(&mut accounts, &text, container, is_group);
    }
    accounts
}

/// The start of a regular file below `root`; no link leads out of it.
fn read_inside(root: &OwnedFd, path: &str) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let opened = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).ok()?;
    let file = File::from(opened);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Adds the accounts of one file: `name:password:number:…` a line; the first of a number counts.
fn add(accounts: &mut Accounts, text: &[u8], container: Option<&ContainerId>, is_group: bool) {
    let mut seen = std::collections::BTreeSet::new();
    for (id, name) in text.split(|&byte| byte == b'\n').filter_map(account) {
        if !seen.insert(id) {
            continue;
        }
        if seen.len() <= ACCOUNTS_MAX {
            let container = container.cloned();
            accounts.told.push(AccountEvent { container, is_group, id, name });
        } else {
            accounts.dropped += 1;
        }
    }
}

fn account(line: &[u8]) -> Option<(u32, Text)> {
    let mut parts = line.split(|&byte| byte == b':');
    let (name, _, id) = (parts.next()?, parts.next()?, parts.next()?);
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    (!name.is_empty()).then(|| (id, Text::from(name)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root_with(passwd: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("etc")).expect("a folder");
        std::fs::write(root.path().join("etc/passwd"), passwd).expect("a file");
        root
    }

    fn names(root: &Path) -> Vec<(u32, String)> {
        let told = below(&open(root).expect("a root"), None).told;
        told.iter().map(|account| (account.id, account.name.to_string())).collect()
    }

    #[test]
    fn account_files_are_read_line_by_line() {
        let root = root_with(
            b"root:x:0:0::/root:/bin/sh\nbad\nx:y:z\n:x:3\nww\x1b\xff:x:33:33\ntoor:x:0:0",
        );
        assert_eq!(names(root.path()), [(0, "root".into()), (33, "ww\\x1b\\xff".into())]);
    }

    #[test]
    fn a_link_does_not_lead_out_of_the_container() {
        let root = root_with(b"");
        let outside = root_with(b"outsider:x:5:5");
        std::fs::remove_file(root.path().join("etc/passwd")).expect("removed");
        symlink(outside.path().join("etc/passwd"), root.path().join("etc/passwd")).expect("a link");
        assert_eq!(names(root.path()), []);
        std::fs::remove_file(root.path().join("etc/passwd")).expect("removed");
        std::fs::write(root.path().join("accounts"), "insider:x:6:6").expect("a file");
        symlink("/accounts", root.path().join("etc/passwd")).expect("a link");
        assert_eq!(names(root.path()), [(6, "insider".into())]);
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let root = root_with(b"");
        let path = root.path().join("etc/passwd");
        std::fs::remove_file(&path).expect("removed");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        assert_eq!(names(root.path()), []);
    }

    #[test]
    fn no_more_than_file_bytes_max_and_accounts_max_are_taken() {
        let line = |id: usize| format!("u{id}:x:{id}:\n");
        let many: String = (0..=ACCOUNTS_MAX).map(line).collect();
        let root = root_with(many.as_bytes());
        let accounts = below(&open(root.path()).expect("a root"), None);
        assert_eq!((accounts.told.len(), accounts.dropped), (ACCOUNTS_MAX, 1));
        let bytes_max = usize::try_from(FILE_BYTES_MAX).expect("fits");
        let long = [vec![b'#'; bytes_max], b"\nlate:x:7:7".to_vec()].concat();
        assert_eq!(names(root_with(&long).path()), []);
    }

    #[test]
    fn a_process_outside_of_the_container_has_no_accounts_of_it() {
        let container = ContainerId("f".repeat(64).into());
        assert_eq!(of_container(std::process::id(), &container), Accounts::default());
    }
}
