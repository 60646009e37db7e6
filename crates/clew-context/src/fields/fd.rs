//! `fd.*`: the descriptor that a call made or used, and what it leads to.
//!
//! Taken from the event alone: the sensor says with each call which file or socket it was about,
//! so nothing can be wrong because a table missed a `close`. Calls without a descriptor have no
//! `fd.*`.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use clew_event::file::{FileEvent, FileId, FileOperation};
use clew_event::http::HttpEvent;
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::{PrivilegeEvent, PrivilegeOperation};
use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{EventKind, EventType, FieldValue, Scalar, Text};

use super::user::UNKNOWN;
use super::{boolean, owned, text, unsigned};
use crate::view::View;

/// A non-blocking connect that goes on, which counts as one that succeeded.
const IN_PROGRESS: i64 = -115;
const OPEN_DIRECTORY: u32 = 0o200_000;
/// Linux gives outgoing connections ports from here on (`ip_local_port_range`).
const EPHEMERAL_PORT_MIN: u16 = 32_768;

/// A descriptor as one call shows it.
#[derive(Debug)]
pub(crate) struct Descriptor<'a> {
    /// Its number; `None` where the event does not tell.
    pub(crate) number: Option<i64>,
    pub(crate) target: Target<'a>,
    pub(crate) is_connected: bool,
    pub(crate) is_name_changed: bool,
}

/// What a descriptor leads to.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    Unknown,
    /// An open that failed: the path is known, but there is no descriptor.
    NotOpened(&'a FileEvent),
    File {
        path: &'a Text,
        given: &'a Text,
        is_directory: bool,
        file: Option<FileId>,
    },
    /// A socket of the internet families with whatever ends it has.
    Internet {
        ends: Ends,
        transport: Transport,
        is_version_6: bool,
    },
    Unix(&'a Text),
    Pipe,
    /// What has a type and perhaps a name, but no path or address.
    Named(Kind, &'a Text),
}

/// The ends of a socket by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// No address yet, or none that counts.
    None,
    /// We asked for the connection.
    Client { local: SocketAddr, remote: SocketAddr },
    /// The other side asked for the connection.
    Server { local: SocketAddr, remote: SocketAddr },
    /// A socket that was bound or listens.
    Bound(SocketAddr),
}

/// Type and letter of other descriptors.
pub(crate) type Kind = (&'static str, &'static str);

const KIND_UNKNOWN: Kind = (UNKNOWN, "o");
const KIND_NETLINK: Kind = ("netlink", "n");
const KIND_MEMFD: Kind = ("memfd", "m");
const KIND_BPF: Kind = ("bpf", "b");
const KIND_USERFAULTFD: Kind = ("userfaultfd", "u");
/// Kinds by what the kernel's name for the descriptor holds.
const KINDS: [(&[u8], Kind); 10] = [
    (b"eventpoll", ("eventpoll", "l")),
    (b"eventfd", ("event", "e")),
    (b"inotify", ("inotify", "i")),
    (b"timerfd", ("timerfd", "t")),
    (b"signalfd", ("signalfd", "s")),
    (b"bpf", KIND_BPF),
    (b"io_uring", ("io_uring", "r")),
    (b"userfaultfd", KIND_USERFAULTFD),
    (b"pidfd", ("pidfd", "P")),
    (b"memfd:", KIND_MEMFD),
];

/// The descriptor of the viewed event; `None` where its call has none.
pub(crate) fn of<'a>(view: &View<'a>) -> Option<Descriptor<'a>> {
    match &view.event.kind {
        EventKind::File(file) => of_file(file, view.event.event_type),
        EventKind::Socket(socket) => Some(of_socket(socket)),
        EventKind::Http(http) => Some(of_http(http)),
        EventKind::Descriptor(descriptor) => Some(of_duplicate(descriptor)),
        EventKind::Kernel(call) => of_kernel(call),
        EventKind::Privilege(privilege) => of_privilege(privilege),
        EventKind::NodeStarted(_)
        | EventKind::Forked(_)
        | EventKind::Executed(_)
        | EventKind::Running(_)
        | EventKind::Exited(_)
        | EventKind::Dns(_)
        | EventKind::Cgroup(_)
        | EventKind::Container(_)
        | EventKind::Account(_)
        | EventKind::KubernetesApi(_)
        | EventKind::CloudApi(_)
        | EventKind::Lost(_)
        | EventKind::ExecFailed(_)
        | EventKind::Query(_)
        | EventKind::Stack(_) => None,
    }
}

fn of_file(file: &FileEvent, event_type: EventType) -> Option<Descriptor<'_>> {
    use EventType as E;
    let is_directory = file.flags & OPEN_DIRECTORY != 0;
    let opened = Target::File {
        path: &file.path,
        given: if file.path_given.is_empty() { &file.path } else { &file.path_given },
        is_directory: is_directory && file.operation == FileOperation::Open,
        file: (file.file != FileId::default()).then_some(file.file),
    };
    let (number, target) = match event_type {
        _ if file.operation == FileOperation::Open && file.result < 0 => {
            (Some(-1), Target::NotOpened(file))
        }
        _ if file.operation == FileOperation::Open => (Some(file.result), opened),
        E::Fchmod | E::Fchown | E::Ftruncate => (file.descriptor.map(i64::from), opened),
        // Their descriptor is that of a directory, which the event does not tell.
        E::Unlinkat | E::Mkdirat | E::Symlinkat | E::Fchmodat | E::Fchownat => {
            (None, Target::Unknown)
        }
        _ => return None,
    };
    Some(Descriptor { number, target, is_connected: false, is_name_changed: false })
}

/// The connection of a request, as far as its ends are known.
fn of_http(http: &HttpEvent) -> Descriptor<'_> {
    let ends = match (http.endpoints.local, http.endpoints.remote) {
        (Some(local), Some(remote)) if http.is_inbound => Ends::Server { local, remote },
        (Some(local), Some(remote)) => Ends::Client { local, remote },
        _ => Ends::None,
    };
    let target = match http.endpoints.family {
        Endpoints::INET | Endpoints::INET6 => internet(&http.endpoints, ends),
        _ => Target::Unknown,
    };
    let is_connected = http.endpoints.remote.is_some();
    Descriptor { number: None, target, is_connected, is_name_changed: false }
}

fn of_socket(socket: &SocketEvent) -> Descriptor<'_> {
    use SocketOperation as Op;
    let is_done = 0 <= socket.result;
    let is_connected = match socket.operation {
        Op::Connect => is_done || socket.result == IN_PROGRESS,
        Op::Accept => is_done,
        Op::Create | Op::Bind | Op::Listen | Op::Send | Op::Receive => false,
    };
    let (local, remote) = (socket.endpoints.local, socket.endpoints.remote);
    let ends = match (socket.operation, remote) {
        (Op::Connect, Some(remote)) if is_connected => {
            Ends::Client { local: local.unwrap_or_else(|| unbound(remote)), remote }
        }
        (Op::Send, Some(remote)) => {
            Ends::Client { local: local.unwrap_or_else(|| unbound(remote)), remote }
        }
        (Op::Accept, Some(remote)) if is_done => {
            Ends::Server { local: local.unwrap_or_else(|| unbound(remote)), remote }
        }
        (Op::Receive, Some(remote)) => by_ports(local.unwrap_or_else(|| unbound(remote)), remote),
        (Op::Bind | Op::Listen, _) => local.map_or(Ends::None, Ends::Bound),
        (Op::Create | Op::Connect | Op::Send | Op::Accept | Op::Receive, _) => Ends::None,
    };
    let target = match socket.endpoints.family {
        _ if socket.operation == Op::Create && !is_done => Target::Unknown,
        Endpoints::UNIX => Target::Unix(&socket.path),
        Endpoints::INET | Endpoints::INET6 => internet(&socket.endpoints, ends),
        16 => Target::Named(KIND_NETLINK, &socket.path),
        _ => Target::Named(KIND_UNKNOWN, &socket.path),
    };
    let is_name_changed = match socket.operation {
        Op::Connect => is_connected,
        Op::Send => remote.is_some(),
        // An answer to what we asked is no news of who is at the other end.
        Op::Receive => matches!(ends, Ends::Server { .. }),
        Op::Create | Op::Accept | Op::Bind | Op::Listen => false,
    };
    Descriptor { number: Some(socket.descriptor.into()), target, is_connected, is_name_changed }
}

fn of_duplicate(descriptor: &DescriptorEvent) -> Descriptor<'_> {
    let number = if descriptor.result < 0 { descriptor.old.into() } else { descriptor.result };
    let mut is_connected = false;
    let target = match &descriptor.target {
        DescriptorTarget::None => Target::Unknown,
        DescriptorTarget::File(path) => {
            Target::File { path, given: path, is_directory: false, file: None }
        }
        DescriptorTarget::Pipe => Target::Pipe,
        DescriptorTarget::Internet(endpoints) => {
            is_connected = endpoints.remote.is_some();
            let ends = match (endpoints.local, endpoints.remote) {
                (Some(local), Some(remote)) => by_ports(local, remote),
                (None, Some(remote)) => Ends::Client { local: unbound(remote), remote },
                (Some(local), None) => Ends::Bound(local),
                (None, None) => Ends::None,
            };
            internet(endpoints, ends)
        }
        DescriptorTarget::Unix(path) => Target::Unix(path),
        DescriptorTarget::Other(name) => Target::Named(kind_of_name(name.as_bytes()), name),
    };
    Descriptor { number: Some(number), target, is_connected, is_name_changed: false }
}

fn of_kernel(call: &KernelEvent) -> Option<Descriptor<'_>> {
    let kind = match call.operation {
        KernelOperation::MemoryFile => KIND_MEMFD,
        KernelOperation::Bpf => KIND_BPF,
        KernelOperation::UserFaults => KIND_USERFAULTFD,
        KernelOperation::Mount
        | KernelOperation::Unmount
        | KernelOperation::PivotRoot
        | KernelOperation::Trace
        | KernelOperation::LoadModule
        | KernelOperation::LoadKernel => return None,
    };
    let target = if call.result < 0 { Target::Unknown } else { Target::Named(kind, &call.path) };
    let number = Some(call.result.max(-1));
    Some(Descriptor { number, target, is_connected: false, is_name_changed: false })
}

fn of_privilege(privilege: &PrivilegeEvent) -> Option<Descriptor<'_>> {
    (privilege.operation == PrivilegeOperation::EnterNamespace).then(|| Descriptor {
        number: Some(privilege.descriptor.into()),
        target: Target::Unknown,
        is_connected: false,
        is_name_changed: false,
    })
}

fn internet<'a>(endpoints: &Endpoints, ends: Ends) -> Target<'a> {
    let known = match ends {
        Ends::None => None,
        Ends::Client { remote, .. } | Ends::Server { remote, .. } => Some(address(remote)),
        Ends::Bound(local) => Some(address(local)),
    };
    let is_version_6 = known.map_or(endpoints.family == Endpoints::INET6, |known| known.is_ipv6());
    Target::Internet { ends, transport: endpoints.transport, is_version_6 }
}

/// Who of two connected ends asked for the connection, where no call tells: the one whose port is
/// ephemeral, as outgoing connections have; where both or neither is, we did.
fn by_ports(local: SocketAddr, remote: SocketAddr) -> Ends {
    if local.port() < EPHEMERAL_PORT_MIN && EPHEMERAL_PORT_MIN <= remote.port() {
        Ends::Server { local, remote }
    } else {
        Ends::Client { local, remote }
    }
}

/// The address that a socket has before it has one: 0.0.0.0:0 or [::]:0.
fn unbound(remote: SocketAddr) -> SocketAddr {
    match address(remote) {
        IpAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        IpAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    }
}

fn kind_of_name(name: &[u8]) -> Kind {
    let holds = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    KINDS.iter().find(|(part, _)| holds(part)).map_or(KIND_UNKNOWN, |(_, kind)| *kind)
}

impl<'a> Target<'a> {
    pub(crate) fn type_name(&self) -> FieldValue<'a> {
        match self {
            Self::Unknown | Self::NotOpened(_) => FieldValue::Missing,
            _ => self.kind().0.into(),
        }
    }

    /// One letter; where the descriptor is not known, what such calls make.
    pub(crate) fn type_char(&self, event_type: EventType) -> FieldValue<'a> {
        use EventType as E;
        match (self, event_type) {
            (
                Self::Unknown | Self::NotOpened(_),
                E::Openat | E::Openat2 | E::Creat | E::Open | E::OpenByHandleAt,
            ) => "f".into(),
            (Self::Unknown | Self::NotOpened(_), E::Socket | E::Accept | E::Accept4) => "4".into(),
            (Self::Unknown | Self::NotOpened(_), _) => "o".into(),
            _ => self.kind().1.into(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Unknown | Self::NotOpened(_) => KIND_UNKNOWN,
            Self::File { is_directory: true, .. } => ("directory", "d"),
            Self::File { .. } => ("file", "f"),
            Self::Internet { is_version_6: true, .. } => ("ipv6", "6"),
            Self::Internet { .. } => ("ipv4", "4"),
            Self::Unix(_) => ("unix", "u"),
            Self::Pipe => ("pipe", "p"),
            Self::Named(kind, _) => *kind,
        }
    }

    pub(crate) fn name(&self) -> FieldValue<'a> {
        FieldValue::One(Scalar::Text(self.name_bytes()))
    }

    pub(crate) fn name_bytes(&self) -> Cow<'a, [u8]> {
        match self {
            Self::Unknown | Self::Pipe => Cow::Borrowed(b""),
            Self::NotOpened(file) => Cow::Borrowed(file.path.as_bytes()),
            Self::File { path, .. } => Cow::Borrowed(path.as_bytes()),
            Self::Internet { ends, .. } => Cow::Owned(ends.name().into_bytes()),
            Self::Unix(path) | Self::Named(_, path) => Cow::Borrowed(path.as_bytes()),
        }
    }

    /// The path as the caller gave it; for what is no file, its name.
    pub(crate) fn name_given(&self) -> FieldValue<'a> {
        match self {
            Self::File { given, .. } => text(given),
            Self::NotOpened(file) if !file.path_given.is_empty() => text(&file.path_given),
            _ => self.name(),
        }
    }

    /// What stands before the last slash of a file's path; a directory's whole path.
    pub(crate) fn directory(&self) -> FieldValue<'a> {
        let path = match self {
            Self::File { path, is_directory: true, .. } => return text(path),
            Self::File { path, .. } => path.as_bytes(),
            Self::NotOpened(file) => file.path.as_bytes(),
            Self::Unknown => b"",
            Self::Internet { .. } | Self::Unix(_) | Self::Pipe | Self::Named(..) => {
                return FieldValue::Missing;
            }
        };
        match path.iter().rposition(|&byte| byte == b'/') {
            Some(0) | None => "/".into(),
            Some(slash) if slash + 1 == path.len() => path.into(),
            Some(slash) => path.get(..slash).unwrap_or_default().into(),
        }
    }

    pub(crate) fn file_name(&self) -> FieldValue<'a> {
        match self {
            Self::File { path, is_directory: false, .. } => match path.file_name() {
                name if name.len() == path.as_bytes().len() => "/".into(),
                b"" => text(path),
                name => name.into(),
            },
            _ => FieldValue::Missing,
        }
    }

    /// Name of the protocol, [`UNKNOWN`] where there is none.
    pub(crate) fn transport(&self) -> FieldValue<'a> {
        match self {
            Self::Unknown | Self::NotOpened(_) => FieldValue::Missing,
            Self::Internet { transport: Transport::Tcp, .. } => "tcp".into(),
            Self::Internet { transport: Transport::Udp, .. } => "udp".into(),
            Self::Internet { transport: Transport::Icmp, .. } => "icmp".into(),
            Self::Internet { transport: Transport::Raw, .. } => "raw".into(),
            _ => UNKNOWN.into(),
        }
    }

    pub(crate) fn socket_family(&self) -> FieldValue<'a> {
        match self {
            Self::Internet { .. } => "ip".into(),
            Self::Unix(_) => "unix".into(),
            _ => FieldValue::Missing,
        }
    }

    pub(crate) fn is_server(&self) -> FieldValue<'a> {
        match self {
            Self::Unknown | Self::NotOpened(_) => FieldValue::Missing,
            Self::Internet { ends: Ends::Server { .. } | Ends::Bound(_), .. } => boolean(true),
            _ => boolean(false),
        }
    }
}

impl Ends {
    /// `client:port->server:port`, or the one address; without brackets also for IPv6, as in Falco.
    fn name(self) -> String {
        let shown = |end: SocketAddr| format!("{}:{}", address(end), end.port());
        match self {
            Self::None => String::new(),
            Self::Client { local, remote } => format!("{}->{}", shown(local), shown(remote)),
            Self::Server { local, remote } => format!("{}->{}", shown(remote), shown(local)),
            Self::Bound(local) => shown(local),
        }
    }

    fn client(self) -> Option<SocketAddr> {
        match self {
            Self::Client { local, .. } => Some(local),
            Self::Server { remote, .. } => Some(remote),
            Self::None | Self::Bound(_) => None,
        }
    }

    fn server(self) -> Option<SocketAddr> {
        match self {
            Self::Client { remote, .. } => Some(remote),
            Self::Server { local, .. } | Self::Bound(local) => Some(local),
            Self::None => None,
        }
    }

    fn local(self) -> Option<SocketAddr> {
        match self {
            Self::Client { local, .. } | Self::Server { local, .. } => Some(local),
            Self::None | Self::Bound(_) => None,
        }
    }

    fn remote(self) -> Option<SocketAddr> {
        match self {
            Self::Client { remote, .. } | Self::Server { remote, .. } => Some(remote),
            Self::None | Self::Bound(_) => None,
        }
    }
}

fn ends(view: &View<'_>) -> Option<Ends> {
    match of(view)?.target {
        Target::Internet { ends, .. } => Some(ends),
        _ => None,
    }
}

pub(crate) fn client(view: &View<'_>) -> Option<SocketAddr> {
    ends(view)?.client()
}

pub(crate) fn server(view: &View<'_>) -> Option<SocketAddr> {
    ends(view)?.server()
}

/// Our own end. In Falco, whose end the client is, where his address is one of this machine: so
/// within a machine the server's own port is the remote one.
pub(crate) fn local(view: &View<'_>) -> Option<SocketAddr> {
    let ends = ends(view)?;
    match ends.client() {
        Some(client) if view.is_falco() && has_address(view, client) => Some(client),
        Some(_) if view.is_falco() => ends.server(),
        Some(_) | None => ends.local(),
    }
}

/// The other end: in Falco, the one that is not [`local`].
pub(crate) fn remote(view: &View<'_>) -> Option<SocketAddr> {
    let ends = ends(view)?;
    match ends.client() {
        Some(client) if view.is_falco() && has_address(view, client) => ends.server(),
        Some(client) if view.is_falco() => Some(client),
        Some(_) | None => ends.remote(),
    }
}

/// Whether Falco takes an address for one of the machine on which the event was seen: one of the
/// container's, else one of the host's interfaces.
fn has_address(view: &View<'_>, end: SocketAddr) -> bool {
    let address = address(end);
    let in_container = view.container_id().is_some();
    if in_container && address.is_ipv6() {
        return false;
    }
    let own = view.container().map(|facts| facts.addresses.as_slice()).unwrap_or_default();
    if in_container && own.is_empty() {
        return view.context.containers.has_address(address);
    }
    let told = view.boot().map(|boot| boot.addresses.as_slice()).unwrap_or_default();
    own.contains(&address) || told.contains(&address) || address.is_loopback()
}

/// Whether the socket has another end for good. Falco 0.45 says so as soon as it reads that
/// something was sent or received, before rules ask: its rules about datagrams never match.
pub(crate) fn is_connected(view: &View<'_>) -> Option<bool> {
    let fd = of(view)?;
    let is_used = || match &view.event.kind {
        EventKind::Socket(socket) => {
            matches!(socket.operation, SocketOperation::Send | SocketOperation::Receive)
                && 0 <= socket.result
        }
        _ => false,
    };
    let is_internet = matches!(fd.target, Target::Internet { .. });
    Some(fd.is_connected || view.is_falco() && is_internet && is_used())
}

/// A value of each end, the client's first.
pub(crate) fn both<'a>(view: &View<'a>, value: fn(SocketAddr) -> Scalar<'a>) -> FieldValue<'a> {
    match (client(view), server(view)) {
        (Some(client), Some(server)) => FieldValue::Many(vec![value(client), value(server)]),
        (None, Some(one)) | (Some(one), None) => FieldValue::One(value(one)),
        (None, None) => FieldValue::Missing,
    }
}

/// The address; IPv4 where it is one in IPv6's clothes.
pub(crate) fn address(end: SocketAddr) -> IpAddr {
    end.ip().to_canonical()
}

/// The address as `fd.ip` and `fd.net` compare it: `::`, which takes IPv4 connections too, is
/// 0.0.0.0, by which rules name a socket that listens everywhere; so in Falco.
pub(crate) fn address_in_rules(end: SocketAddr) -> IpAddr {
    match address(end) {
        ip if ip.is_unspecified() => IpAddr::from([0; 4]),
        ip => ip,
    }
}

pub(crate) fn ip<'a>(end: SocketAddr) -> FieldValue<'a> {
    FieldValue::One(Scalar::Ip(address(end)))
}

pub(crate) fn port<'a>(end: SocketAddr) -> FieldValue<'a> {
    unsigned(end.port().into())
}

/// Thread and number in one, as Falco writes them.
pub(crate) fn uid<'a>(view: &View<'a>) -> FieldValue<'a> {
    let Some((actor, fd)) = view.event.actor.zip(of(view)) else { return FieldValue::Missing };
    fd.number.map_or(FieldValue::Missing, |number| owned(format!("{}{number}", actor.tid)))
}

pub(crate) fn file(view: &View<'_>) -> Option<FileId> {
    match of(view)?.target {
        Target::File { file, .. } => file,
        _ => None,
    }
}
