//! Calls on sockets, descriptors that lead to them, and names that were resolved.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// What was done to a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SocketOperation {
    /// Made.
    #[default]
    Create,
    /// A connection was asked for.
    Connect,
    /// A connection was taken.
    Accept,
    /// A local address was taken.
    Bind,
    /// It waits for connections.
    Listen,
    /// A datagram was sent.
    Send,
    /// A datagram was received.
    Receive,
}

/// Protocol above the network layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// None, or none that is known.
    #[default]
    Unknown,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
    /// Raw IP.
    Raw,
}

/// The two ends of a socket as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoints {
    /// Address family, `AF_*` of `linux/socket.h` (2 = IPv4, 10 = IPv6, 1 = unix, 17 = packet).
    pub family: u16,
    /// Protocol above the network layer.
    pub transport: Transport,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The other end.
    pub remote: Option<SocketAddr>,
}

impl Endpoints {
    /// `AF_UNIX`.
    pub const UNIX: u16 = 1;
    /// `AF_INET`.
    pub const INET: u16 = 2;
    /// `AF_INET6`.
    pub const INET6: u16 = 10;
}

/// One call on a socket, seen when it returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketEvent {
    /// What was done.
    pub operation: SocketOperation,
    /// What the call returned; a non-blocking connect gives `-EINPROGRESS` (-115).
    pub result: i64,
    /// The descriptor it was done on; the new one for accept and create.
    pub descriptor: i32,
    /// Both ends after the call.
    pub endpoints: Endpoints,
    /// Path of a unix socket; a leading NUL byte marks an abstract one.
    pub path: Text,
    /// Type (`SOCK_*`) and protocol given to `socket`.
    pub socket_type: u16,
    /// Protocol number given to `socket`.
    pub protocol: u16,
    /// The first bytes sent or received, where a rule asks for them; at most what `result` says.
    /// They may hold secrets: rules judge them, nothing keeps them.
    pub payload: Text,
}

/// What a descriptor leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DescriptorTarget {
    /// Closed, or not known.
    #[default]
    None,
    /// A file, directory or device.
    File(Text),
    /// A pipe or FIFO.
    Pipe,
    /// A socket of the internet families.
    Internet(Box<Endpoints>),
    /// A unix socket.
    Unix(Text),
    /// Something else, by the name the kernel gives it (`anon_inode:[eventpoll]`).
    Other(Text),
}

/// A descriptor was put on another number (`dup`, `dup2`, `dup3`), such as a socket on standard
/// input, which is how a reverse shell is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorEvent {
    /// The new number, or a negative error number.
    pub result: i64,
    /// The number that was copied.
    pub old: i32,
    /// What both numbers lead to.
    pub target: DescriptorTarget,
}

/// A question to, or an answer of, a name server, as it crossed the asker's socket.
///
/// The actor is the process that asked, also for an answer; there is none where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsEvent {
    /// Name that was asked, in lower case and without the final dot; a dot or backslash within a
    /// label stands behind a backslash.
    pub name: Text,
    /// Record type number (1 = A, 28 = AAAA).
    pub record_type: u16,
    /// The server.
    pub server: Option<SocketAddr>,
    /// Addresses of the answer; empty in a question.
    pub addresses: Vec<std::net::IpAddr>,
    /// Names that the asked one stands for (CNAME), in the order of the answer.
    pub aliases: Vec<Text>,
    /// Protocol it came by.
    pub transport: Transport,
    /// Number that a question and its answer share.
    pub transaction: u16,
    /// False for a question.
    pub is_answer: bool,
    /// Response code (0 = no error, 3 = no such name); 0 in a question.
    pub response_code: u8,
    /// For how long all addresses and aliases may be kept; 0 where there are none.
    pub ttl_seconds: u32,
    /// True where the message could not be read to its end.
    pub is_cut: bool,
}
