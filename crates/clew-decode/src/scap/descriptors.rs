//! What the descriptors of a process lead to.
//!
//! Events of a capture name descriptors by number only. A table is copied at the moment the event
//! that makes the child is read, and each close is applied when it is read, as Falco does: where a
//! parent's close overtakes the event of its child, the child's copy lacks the descriptor.

use std::net::SocketAddr;
use std::sync::Arc;

use clew_event::Text;
use clew_event::socket::{DescriptorTarget, Endpoints, Transport};

/// Most descriptors that are kept of one process (Falco's default).
pub const DESCRIPTORS_MAX: usize = 4096;

/// One descriptor.
#[derive(Clone, Debug, Default)]
pub(super) struct Descriptor {
    pub(super) target: Target,
    /// Path, or what Falco shows as the name of what has no path.
    pub(super) name: Text,
    pub(super) is_closed_on_exec: bool,
}

/// What a descriptor leads to.
#[derive(Clone, Debug, Default)]
pub(super) enum Target {
    #[default]
    Unknown,
    File,
    Directory,
    Pipe,
    Socket(Socket),
    Unix,
    Netlink,
    /// By the name the kernel gives such descriptors.
    Other(&'static str),
}

/// A socket of the internet families.
#[derive(Clone, Debug, Default)]
pub(super) struct Socket {
    pub(super) endpoints: Endpoints,
    /// We took the connection, or wait for some.
    pub(super) is_server: bool,
}

impl Descriptor {
    pub(super) fn file(name: Text, flags: u32) -> Self {
        let is_directory = flags & super::flags::OPENED_DIRECTORY != 0;
        let target = if is_directory { Target::Directory } else { Target::File };
        let is_closed_on_exec = flags & super::flags::CLOSED_ON_EXEC != 0;
        Self { target, name, is_closed_on_exec }
    }

    pub(super) fn socket(endpoints: Endpoints, is_server: bool) -> Self {
        let target = Target::Socket(Socket { endpoints, is_server });
        Self { target, ..Self::default() }
    }

    pub(super) fn other(name: &'static str) -> Self {
        Self { target: Target::Other(name), ..Self::default() }
    }

    /// The two ends, where there are any, and the path of a unix socket.
    pub(super) fn endpoints(&self) -> (Endpoints, Text) {
        let family = |family| Endpoints { family, ..Endpoints::default() };
        match &self.target {
            Target::Socket(socket) => (socket.endpoints.clone(), Text::default()),
            Target::Unix => (family(Endpoints::UNIX), self.name.clone()),
            Target::Netlink => (family(NETLINK), Text::default()),
            Target::Unknown
            | Target::File
            | Target::Directory
            | Target::Pipe
            | Target::Other(_) => (Endpoints::default(), Text::default()),
        }
    }

    pub(super) fn leads_to(&self) -> DescriptorTarget {
        match &self.target {
            Target::Unknown => DescriptorTarget::Other(self.name.clone()),
            Target::File | Target::Directory => DescriptorTarget::File(self.name.clone()),
            Target::Pipe => DescriptorTarget::Pipe,
            Target::Socket(socket) => {
                DescriptorTarget::Internet(Box::new(socket.endpoints.clone()))
            }
            Target::Unix => DescriptorTarget::Unix(self.name.clone()),
            Target::Netlink => DescriptorTarget::Other(Text::from("netlink")),
            Target::Other(name) => DescriptorTarget::Other(Text::from(*name)),
        }
    }
}

/// `AF_NETLINK`.
pub(super) const NETLINK: u16 = 16;

/// The descriptors of one process by number, in ascending order.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(Vec<(i64, Arc<Descriptor>)>);

impl Table {
    pub(super) fn get(&self, number: i64) -> Option<&Arc<Descriptor>> {
        let position = self.position(number).ok()?;
        self.0.get(position).map(|(_, descriptor)| descriptor)
    }

    /// Puts a descriptor on a number; false where the table is full.
    pub(super) fn put(&mut self, number: i64, descriptor: Arc<Descriptor>) -> bool {
        match self.position(number) {
            Ok(position) => {
                if let Some((_, known)) = self.0.get_mut(position) {
                    *known = descriptor;
                }
                true
            }
            Err(position) if self.0.len() < DESCRIPTORS_MAX => {
                self.0.insert(position, (number, descriptor));
                true
            }
            Err(_) => false,
        }
    }

    pub(super) fn change(&mut self, number: i64, change: impl FnOnce(&mut Descriptor)) {
        if let Ok(position) = self.position(number)
            && let Some((_, descriptor)) = self.0.get_mut(position)
        {
            change(Arc::make_mut(descriptor));
        }
    }

    pub(super) fn close(&mut self, number: i64) {
        if let Ok(position) = self.position(number) {
            self.0.remove(position);
        }
    }

    /// Closes the numbers from `first` to `last`.
    pub(super) fn close_range(&mut self, first: i64, last: i64) {
        self.0.retain(|(number, _)| *number < first || last < *number);
    }

    /// Closes what an exec closes.
    pub(super) fn execute(&mut self) {
        self.0.retain(|(_, descriptor)| !descriptor.is_closed_on_exec);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn position(&self, number: i64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }
}

/// IPv4 addresses that an IPv6 socket shows in its own form, as IPv4 ones.
pub(super) fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

/// Protocol of a socket of the internet families by what was given to `socket`.
pub(super) fn transport(kind: u32, protocol: u32) -> Transport {
    const RAW: u32 = 3;
    match (kind & 0xff, protocol) {
        (RAW, 6 | 17 | 1) | (_, 255) => Transport::Raw,
        (_, 6) | (1, 0) => Transport::Tcp,
        (_, 17) | (2, 0) => Transport::Udp,
        (_, 1) => Transport::Icmp,
        _ => Transport::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exec_closes_what_was_opened_so() {
        let mut table = Table::default();
        let open = |name: &str, flags| Arc::new(Descriptor::file(name.into(), flags));
        table.put(3, open("/kept", 1));
        table.put(1, open("/closed", 1 | super::super::flags::CLOSED_ON_EXEC));
        let copy = table.clone();
        table.execute();
        assert!(table.get(1).is_none());
        assert_eq!(table.get(3).map(|open| open.name.clone()), Some("/kept".into()));
        assert!(copy.get(1).is_some());
    }

    #[test]
    fn a_table_holds_descriptors_max() {
        let mut table = Table::default();
        let count = i64::try_from(DESCRIPTORS_MAX).expect("fits");
        for number in 0..count {
            assert!(table.put(number, Arc::default()));
        }
        assert!(!table.put(count, Arc::default()));
        assert!(table.put(0, Arc::default()));
        table.close_range(1, count);
        assert_eq!(table.len(), 1);
    }
}
