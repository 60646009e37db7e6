//! The other end of a connection, as wide as a habit is: a name, a network, or a kind of address.

use std::net::{IpAddr, SocketAddr};

use clew_context::View;
use clew_event::Text;
use clew_event::socket::{SocketEvent, SocketOperation, Transport};

use crate::class::Class;
use crate::item::KeyBuilder;

/// The first port that Linux gives to who asks for none (`ip_local_port_range`).
const EPHEMERAL: u16 = 32_768;
/// `EINPROGRESS`: the connection goes on without the caller.
const IN_PROGRESS: i64 = -115;

/// Begins `key` as the item that a call on a socket shows.
pub(crate) fn of_socket(
    view: &View<'_>,
    who: &Text,
    socket: &SocketEvent,
    key: &mut KeyBuilder,
) -> Option<Class> {
    let how = direction(socket.operation, socket.endpoints.transport)?;
    let end = if how == "on" { socket.endpoints.local? } else { socket.endpoints.remote? };
    let is_done = 0 <= socket.result || socket.result == IN_PROGRESS;
    if !is_done || end.port() == 0 {
        return None;
    }
    key.begin(Class::Network, who.as_bytes(), how);
    key.word(match socket.endpoints.transport {
        Transport::Tcp | Transport::Unknown => "tcp",
        Transport::Udp => "udp",
        Transport::Icmp => "icmp",
        Transport::Raw => "raw",
    });
    match socket.operation {
        SocketOperation::Accept => {
            let local = socket.endpoints.local.map_or(0, |local| local.port());
            key.word(&port(local)).word(kind(end.ip())).fix();
        }
        SocketOperation::Listen | SocketOperation::Bind => {
            key.word(&port(end.port())).fix();
        }
        SocketOperation::Connect
        | SocketOperation::Send
        | SocketOperation::Create
        | SocketOperation::Receive => outward(view, end, key),
    }
    Some(Class::Network)
}

/// Whether it goes out, comes in, or waits.
///
/// A stream is opened once. What is sent on it goes where `connect` went, or back to whoever came:
/// with it a server would seem to seek each port of its clients.
const fn direction(operation: SocketOperation, transport: Transport) -> Option<&'static str> {
    match (operation, transport) {
        (SocketOperation::Send, Transport::Tcp)
        | (SocketOperation::Create | SocketOperation::Receive, _) => None,
        (SocketOperation::Connect | SocketOperation::Send, _) => Some("to"),
        (SocketOperation::Accept, _) => Some("from"),
        (SocketOperation::Listen | SocketOperation::Bind, _) => Some("on"),
    }
}

/// By the name it was found under, else by its network; the port stands first and never opens.
fn outward(view: &View<'_>, end: SocketAddr, key: &mut KeyBuilder) {
    key.word(&end.port().to_string()).fix();
    let names = view.names_of(end.ip());
    match names.first() {
        Some(name) => key.part(registrable(name.as_bytes())).fix(),
        None => key.word(&network(end.ip())),
    };
}

fn port(port: u16) -> String {
    if EPHEMERAL <= port { "{ephemeral}".to_owned() } else { port.to_string() }
}

/// Where an address lies; clients of a server are told apart by no more.
fn kind(address: IpAddr) -> &'static str {
    match address.to_canonical() {
        ip if ip.is_loopback() => "loopback",
        ip if is_private(ip) => "private",
        _ => "public",
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        // 100.64.0.0/10 is shared by carriers and by clusters (RFC 6598).
        IpAddr::V4(ip) => {
            ip.is_private()
                || ip.is_link_local()
                || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The network of an address: loopback, the address where it is link-local (services of clouds),
/// the /24 where it is private or public in version 4, the /48 in version 6.
#[must_use]
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        ip if ip.is_loopback() => "loopback".to_owned(),
        IpAddr::V4(ip) if ip.is_link_local() => ip.to_string(),
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

/// The part of a name that somebody registered: its last two labels, three where the last two are
/// short (`co.uk`); names within a cluster or of one label stay whole.
#[must_use]
pub(crate) fn registrable(name: &[u8]) -> &[u8] {
    const SHORT: usize = 3;
    if name.ends_with(b".local") || name.ends_with(b".internal") || name.ends_with(b".arpa") {
        return name.strip_suffix(b".in-addr.arpa").map_or(name, |_| b"in-addr.arpa");
    }
    let mut labels = name.rsplit(|&byte| byte == b'.');
    let (Some(last), Some(second)) = (labels.next(), labels.next()) else { return name };
    let is_short = last.len() < SHORT && second.len() <= SHORT;
    let third = labels.next().filter(|_| is_short).map_or(0, |label| label.len() + 1);
    let kept = last.len() + 1 + second.len() + third;
    name.get(name.len().saturating_sub(kept)..).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_learned_by_what_was_registered() {
        let check = |name: &str, expected: &str| {
            assert_eq!(registrable(name.as_bytes()), expected.as_bytes());
        };
        check("a.b.example.org", "example.org");
        check("www.shop.co.uk", "shop.co.uk");
        check("db", "db");
        check("db.shop.svc.cluster.local", "db.shop.svc.cluster.local");
        check("4.3.2.1.in-addr.arpa", "in-addr.arpa");
        check("", "");
    }

    #[test]
    fn an_answer_on_a_stream_seeks_nobody_and_a_datagram_does() {
        assert_eq!(direction(SocketOperation::Send, Transport::Tcp), None);
        assert_eq!(direction(SocketOperation::Send, Transport::Udp), Some("to"));
        assert_eq!(direction(SocketOperation::Connect, Transport::Tcp), Some("to"));
    }

    #[test]
    fn an_address_is_learned_by_its_network() {
        let check = |address: &str, expected: &str| {
            assert_eq!(network(address.parse().expect("an address")), expected);
        };
        check("127.0.0.1", "loopback");
        check("169.254.169.254", "169.254.169.254");
        check("10.1.2.3", "10.1.2.0/24");
        check("::ffff:192.0.2.7", "192.0.2.0/24");
        check("2001:db8:1:2::3", "2001:db8:1::/48");
    }
}
