//! What a capture tells before its events: the machine, its users, what ran and what was open.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use clew_event::Text;
use clew_event::container::AccountEvent;
use clew_event::kernel::NodeStarted;
use clew_event::socket::{Endpoints, Transport};

use super::bytes::{Bytes, text, until_nul};
use super::descriptors::{Descriptor, NETLINK, Target, canonical};

/// The machine: host name and moment of boot.
pub(super) fn machine(content: &[u8]) -> Option<NodeStarted> {
    const HOST_BYTES: usize = 128;
    let mut fields = Bytes(content);
    fields.u32()?;
    fields.u64()?;
    fields.u64()?;
    let hostname = text(fields.take(HOST_BYTES)?);
    let boot_unix_ns = fields.u64()?;
    Some(NodeStarted { hostname, boot_unix_ns, ..NodeStarted::default() })
}

/// Addresses of network interfaces, as far as the list can be read.
pub(super) fn addresses(content: &[u8]) -> Vec<IpAddr> {
    let mut rest = Bytes(content);
    std::iter::from_fn(|| interface(&mut rest)).flatten().collect()
}

/// The next interface; it has no address where its kind is not known.
fn interface(rest: &mut Bytes<'_>) -> Option<Option<IpAddr>> {
    let length = usize::try_from(rest.u32()?).ok()?;
    let mut fields = Bytes(rest.take(length)?);
    let kind = fields.u16()?;
    fields.u16()?;
    Some(match kind {
        1 | 3 => fields.array::<4>().map(IpAddr::from),
        2 | 4 => fields.array::<16>().map(IpAddr::from),
        _ => None,
    })
}

/// Users and groups of the host.
pub(super) fn accounts(content: &[u8], has_lengths: bool) -> Vec<AccountEvent> {
    let mut rest = Bytes(content);
    let mut accounts = Vec::new();
    while let Some(account) = account(&mut rest, has_lengths) {
        accounts.push(account);
    }
    accounts
}

fn account(rest: &mut Bytes<'_>, has_lengths: bool) -> Option<AccountEvent> {
    const USER: u8 = 0;
    const GROUP: u8 = 1;
    let mut fields = entry(rest, has_lengths)?;
    let kind = fields.u8()?;
    let id = fields.u32()?;
    let is_group = match kind {
        USER => false,
        GROUP => true,
        _ => return None,
    };
    if !is_group {
        fields.u32()?;
    }
    let name = text(fields.text()?);
    if !is_group {
        fields.text()?;
        fields.text()?;
    }
    if !has_lengths {
        *rest = fields;
    }
    Some(AccountEvent { container: None, is_group, id, name })
}

/// The next entry of a list: its own bytes where entries carry their length, else all that is left.
fn entry<'a>(rest: &mut Bytes<'a>, has_lengths: bool) -> Option<Bytes<'a>> {
    const LENGTH_BYTES: usize = 4;
    if !has_lengths {
        return Some(*rest);
    }
    let length = usize::try_from(rest.u32()?).ok()?;
    rest.take(length.checked_sub(LENGTH_BYTES)?).map(Bytes)
}

/// One thread that ran when the capture began.
#[derive(Debug, Default)]
pub(super) struct Listed<'a> {
    pub(super) tid: i64,
    pub(super) pid: i64,
    pub(super) parent: i64,
    pub(super) sid: i64,
    pub(super) pgid: i64,
    pub(super) name: &'a [u8],
    pub(super) called: &'a [u8],
    pub(super) exe: &'a [u8],
    pub(super) arguments: &'a [u8],
    pub(super) cwd: &'a [u8],
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) environment: &'a [u8],
    pub(super) vtid: i64,
    pub(super) vpid: i64,
    pub(super) cgroups: &'a [u8],
    pub(super) namespace_started_ns: u64,
    pub(super) tty: u32,
    pub(super) login_uid: u32,
    pub(super) is_writable: bool,
    pub(super) is_upper_layer: bool,
    pub(super) is_lower_layer: bool,
    pub(super) is_memfd: bool,
    pub(super) inheritable: u64,
    pub(super) permitted: u64,
    pub(super) effective: u64,
    pub(super) inode: u64,
    pub(super) ctime_ns: u64,
    pub(super) mtime_ns: u64,
}

/// Versions of the list of processes, by what each added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessesVersion(pub(super) u8);

/// Blocks are filled up to a multiple of four bytes.
const PADDING_BYTES: usize = 3;

/// Threads that ran when the capture began, and whether the list ended where it should.
pub(super) fn threads(content: &[u8], version: ProcessesVersion) -> (Vec<Listed<'_>>, bool) {
    let mut rest = Bytes(content);
    let mut threads = Vec::new();
    while PADDING_BYTES < rest.0.len() {
        match thread(&mut rest, version) {
            Some(thread) => threads.push(thread),
            None => return (threads, false),
        }
    }
    (threads, true)
}

fn thread<'a>(rest: &mut Bytes<'a>, version: ProcessesVersion) -> Option<Listed<'a>> {
    let has_lengths = version >= ProcessesVersion(9);
    let mut fields = entry(rest, has_lengths)?;
    let mut thread = Listed { login_uid: u32::MAX, pgid: -1, sid: -1, ..Listed::default() };
    identity(&mut fields, version, &mut thread)?;
    if has_lengths {
        // What later versions added at the end; a shorter entry lacks it.
        let _ = additions(&mut fields, &mut thread);
    } else {
        *rest = fields;
    }
    Some(thread)
}

fn identity<'a>(
    fields: &mut Bytes<'a>,
    version: ProcessesVersion,
    thread: &mut Listed<'a>,
) -> Option<()> {
    const MEMORY_BYTES: usize = 28;
    let since = |number| version >= ProcessesVersion(number);
    thread.tid = fields.i64()?;
    thread.pid = fields.i64()?;
    thread.parent = fields.i64()?;
    if since(6) {
        thread.sid = fields.i64()?;
    }
    if since(8) {
        fields.i64()?;
    }
    thread.name = until_nul(fields.text()?);
    thread.called = until_nul(fields.text()?);
    if since(7) {
        thread.exe = until_nul(fields.text()?);
    }
    thread.arguments = fields.text()?;
    thread.cwd = until_nul(fields.text()?);
    fields.u64()?;
    fields.u32()?;
    thread.uid = fields.u32()?;
    thread.gid = fields.u32()?;
    if since(2) {
        fields.take(MEMORY_BYTES)?;
    }
    if since(3) {
        thread.environment = fields.text()?;
    }
    (thread.vtid, thread.vpid) = (thread.tid, thread.pid);
    if since(4) {
        thread.vtid = fields.i64()?;
        thread.vpid = fields.i64()?;
        thread.cgroups = fields.text()?;
    }
    if since(5) {
        fields.text()?;
    }
    Some(())
}

/// Before version 0.10 of the libraries, the namespace's start and the terminal were not told;
/// then at most this many bytes follow.
const ADDITIONS_BYTES_OLD: usize = 29;

fn additions(fields: &mut Bytes<'_>, thread: &mut Listed<'_>) -> Option<()> {
    if ADDITIONS_BYTES_OLD < fields.0.len() {
        thread.namespace_started_ns = fields.u64()?;
        thread.tty = fields.u32()?;
    }
    thread.login_uid = fields.u32()?;
    thread.is_writable = fields.u8()? != 0;
    thread.inheritable = fields.u64()?;
    thread.permitted = fields.u64()?;
    thread.effective = fields.u64()?;
    thread.is_upper_layer = fields.u8()? != 0;
    thread.inode = fields.u64()?;
    thread.ctime_ns = fields.u64()?;
    thread.mtime_ns = fields.u64()?;
    thread.is_memfd = fields.u8()? != 0;
    thread.is_lower_layer = fields.u8()? != 0;
    thread.pgid = fields.i64()?;
    Some(())
}

/// Descriptors with their numbers.
pub(super) type Numbered = Vec<(i64, Descriptor)>;

/// The thread of a list of descriptors, the descriptors, and whether the list ended well.
pub(super) fn descriptors(content: &[u8], has_lengths: bool) -> Option<(i64, Numbered, bool)> {
    let mut rest = Bytes(content);
    let tid = rest.i64()?;
    let mut listed = Vec::new();
    while PADDING_BYTES < rest.0.len() {
        let Some(mut fields) = entry(&mut rest, has_lengths) else {
            return Some((tid, listed, false));
        };
        let Some(found) = descriptor(&mut fields) else { return Some((tid, listed, false)) };
        listed.push(found);
        if !has_lengths {
            rest = fields;
        }
    }
    Some((tid, listed, true))
}

fn descriptor(fields: &mut Bytes<'_>) -> Option<(i64, Descriptor)> {
    let number = fields.i64()?;
    fields.u64()?;
    let kind = fields.u8()?;
    let other = |name: &'static str| Target::Other(name);
    let target = match kind {
        3..=6 => return Some((number, socket(fields, kind)?)),
        8 => {
            fields.u64()?;
            fields.u64()?;
            Target::Unix
        }
        16 => {
            let flags = fields.u32()?;
            let name = text(fields.text()?);
            return Some((number, Descriptor::file(name, flags & !super::flags::OPENED_DIRECTORY)));
        }
        1 => Target::File,
        2 => Target::Directory,
        7 => Target::Pipe,
        9 => other("eventfd"),
        11 => other("signalfd"),
        12 => other("eventpoll"),
        13 => other("inotify"),
        14 => other("timerfd"),
        15 => Target::Netlink,
        17 => other("bpf"),
        18 => other("userfaultfd"),
        19 => other("io_uring"),
        20 => other("memfd:"),
        21 => other("pidfd"),
        10 => Target::Unknown,
        _ => return Some((number, Descriptor::default())),
    };
    let name = text(fields.text()?);
    Some((number, Descriptor { target, name, is_closed_on_exec: false }))
}

fn socket(fields: &mut Bytes<'_>, kind: u8) -> Option<Descriptor> {
    let is_version_6 = kind == 4 || kind == 6;
    let is_pair = kind == 3 || kind == 4;
    let ip = |fields: &mut Bytes<'_>| -> Option<IpAddr> {
        Some(match is_version_6 {
            true => fields.array::<16>()?.into(),
            false => fields.array::<4>()?.into(),
        })
    };
    let first = ip(fields)?;
    let second = if is_pair { Some(ip(fields)?) } else { None };
    let first = canonical(SocketAddr::new(first, fields.u16()?));
    let second = match second {
        Some(second) => Some(canonical(SocketAddr::new(second, fields.u16()?))),
        None => None,
    };
    let transport = match fields.u8()? {
        2 => Transport::Tcp,
        3 => Transport::Udp,
        4 => Transport::Icmp,
        5 => Transport::Raw,
        _ => Transport::Unknown,
    };
    let family = if is_version_6 { Endpoints::INET6 } else { Endpoints::INET };
    let endpoints = Endpoints { family, transport, local: Some(first), remote: second };
    Some(Descriptor::socket(endpoints, !is_pair))
}

/// Descriptors shared, so that copies of a table cost little.
pub(super) fn shared(listed: Numbered) -> Vec<(i64, Arc<Descriptor>)> {
    listed.into_iter().map(|(number, descriptor)| (number, Arc::new(descriptor))).collect()
}

/// Family of a socket that is no internet or unix socket.
pub(super) fn of_family(domain: u16) -> Descriptor {
    let target = match domain {
        Endpoints::UNIX => Target::Unix,
        NETLINK => Target::Netlink,
        _ => Target::Unknown,
    };
    Descriptor { target, name: Text::default(), is_closed_on_exec: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_listed_with_their_names() {
        let mut list = vec![17, 0, 0, 0, 1, 33, 0, 0, 0, 6, 0];
        list.extend_from_slice(b"nobody");
        list.extend_from_slice(&[0, 0, 0]);
        let found = accounts(&list, true);
        let shown: Vec<_> = found.iter().map(|a| (a.id, a.is_group, a.name.clone())).collect();
        assert_eq!(shown, [(33, true, "nobody".into())]);
        assert!(accounts(&list[..16], true).is_empty());
    }
}
