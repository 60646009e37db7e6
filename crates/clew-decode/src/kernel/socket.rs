//! Decodes calls on sockets, and descriptors put on standard input, output or error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{EventKind, EventType, Text};
use clew_wire::limits;
use clew_wire::record::{Descriptor, Endpoint, Socket, Target};

use super::{Bytes, Malformed, syscall};

pub(super) fn socket(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let socket: Socket = record.fixed()?;
    let number = socket.header.syscall;
    let wrong = Malformed::WrongCall { kind: limits::KIND_SOCKET, number };
    let event_type = syscall::reported(number).ok_or(wrong)?;
    let operation = operation(event_type).ok_or(wrong)?;
    let mut event = SocketEvent {
        operation,
        result: socket.header.result,
        descriptor: socket.descriptor,
        endpoints: endpoints(&socket.endpoint, socket.socket_type),
        path: unix_path(record.raw(socket.path)?),
        socket_type: socket.socket_type,
        protocol: socket.protocol,
        payload: record.text(socket.payload)?,
    };
    add_given(&mut event, record.raw(socket.given)?);
    Ok((event_type, EventKind::Socket(event)))
}

pub(super) fn descriptor(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let descriptor: Descriptor = record.fixed()?;
    let number = descriptor.header.syscall;
    let Some(event_type @ (EventType::Dup | EventType::Dup2 | EventType::Dup3)) =
        syscall::reported(number)
    else {
        return Err(Malformed::WrongCall { kind: limits::KIND_DESCRIPTOR, number });
    };
    let event = DescriptorEvent {
        result: descriptor.header.result,
        old: descriptor.old,
        target: target(record, &descriptor.target)?,
    };
    Ok((event_type, EventKind::Descriptor(event)))
}

/// What a descriptor leads to; an unknown kind is told as nothing.
pub(super) fn target(record: Bytes<'_>, target: &Target) -> Result<DescriptorTarget, Malformed> {
    Ok(match target.kind {
        limits::TARGET_FILE => DescriptorTarget::File(record.path(target.text)?),
        limits::TARGET_PIPE => DescriptorTarget::Pipe,
        limits::TARGET_INTERNET => {
            DescriptorTarget::Internet(Box::new(endpoints(&target.endpoint, 0)))
        }
        limits::TARGET_UNIX => DescriptorTarget::Unix(unix_path(record.raw(target.text)?)),
        limits::TARGET_OTHER => {
            let name = record.raw(target.text)?;
            let name = name.strip_suffix(b"/").unwrap_or(name);
            DescriptorTarget::Other([b"anon_inode:", name].concat().into())
        }
        _ => DescriptorTarget::None,
    })
}

fn operation(event_type: EventType) -> Option<SocketOperation> {
    Some(match event_type {
        EventType::Socket => SocketOperation::Create,
        EventType::Connect => SocketOperation::Connect,
        EventType::Accept | EventType::Accept4 => SocketOperation::Accept,
        EventType::Bind => SocketOperation::Bind,
        EventType::Listen => SocketOperation::Listen,
        EventType::Sendto | EventType::Sendmsg | EventType::Sendmmsg => SocketOperation::Send,
        EventType::Recvfrom | EventType::Recvmsg | EventType::Recvmmsg => SocketOperation::Receive,
        _ => return None,
    })
}

/// Both ends as the kernel holds them. An IPv4 peer of an IPv6 socket is told as IPv4.
pub(super) fn endpoints(end: &Endpoint, socket_type: u16) -> Endpoints {
    let local = address(end.family, &end.local, end.local_port);
    let remote = address(end.family, &end.remote, end.remote_port);
    let is_ipv4 = remote.or(local).is_some_and(|address| address.is_ipv4());
    Endpoints {
        family: if is_ipv4 { Endpoints::INET } else { end.family },
        transport: transport(end.protocol, socket_type),
        local,
        remote,
    }
}

fn transport(protocol: u16, socket_type: u16) -> Transport {
    const SOCK_RAW: u16 = 3;
    match protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        1 | 58 => Transport::Icmp,
        _ if socket_type == SOCK_RAW => Transport::Raw,
        _ => Transport::Unknown,
    }
}

/// `None` where neither address nor port are set.
fn address(family: u16, bytes: &[u8; 16], port: u16) -> Option<SocketAddr> {
    let address = match family {
        Endpoints::INET => {
            let [a, b, c, d, ..] = *bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        Endpoints::INET6 => Ipv6Addr::from(*bytes).to_canonical(),
        _ => return None,
    };
    let is_unset = port == 0 && address.is_unspecified();
    (!is_unset).then(|| SocketAddr::new(address, port))
}

/// Fills in from the `struct sockaddr` of the caller what the kernel's socket does not tell.
fn add_given(event: &mut SocketEvent, given: &[u8]) {
    let Some((family, rest)) = given.split_first_chunk::<2>() else {
        return;
    };
    let family = u16::from_ne_bytes(*family);
    if event.endpoints.family == 0 {
        event.endpoints.family = family;
    }
    if family == Endpoints::UNIX {
        if event.path.is_empty() {
            event.path = unix_path(rest);
        }
        return;
    }
    let end = match event.operation {
        SocketOperation::Bind => &mut event.endpoints.local,
        _ => &mut event.endpoints.remote,
    };
    // A connection that failed has lost its port in the kernel's socket.
    if end.is_none_or(|end| end.port() == 0) {
        *end = given_address(family, rest).or(*end);
    }
}

/// The address in a `sockaddr_in` or `sockaddr_in6` behind its family.
fn given_address(family: u16, rest: &[u8]) -> Option<SocketAddr> {
    const FLOW_BYTES: usize = 4;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let mut bytes = [0; 16];
    if family == Endpoints::INET {
        bytes.first_chunk_mut::<4>()?.copy_from_slice(rest.first_chunk::<4>()?);
    } else {
        bytes = *rest.get(FLOW_BYTES..)?.first_chunk::<16>()?;
    }
    address(family, &bytes, u16::from_be_bytes(*port))
}

/// A `sun_path` without its padding; a leading NUL byte marks an abstract one and stays.
fn unix_path(bytes: &[u8]) -> Text {
    match bytes.split_first() {
        Some((0, rest)) if !rest.is_empty() => bytes.into(),
        _ => bytes.split(|&byte| byte == 0).next().unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_wire::as_bytes;
    use clew_wire::record::{Header, TextRef};

    fn decode(syscall: u32, endpoint: Endpoint, given: &[u8]) -> SocketEvent {
        let text = TextRef {
            offset: u16::try_from(size_of::<Socket>()).expect("short"),
            size: u16::try_from(given.len()).expect("short"),
            ..TextRef::default()
        };
        let header = Header { syscall, ..Header::default() };
        let record = Socket { header, endpoint, given: text, ..Socket::default() };
        match socket(Bytes(&[as_bytes(&record), given].concat())) {
            Ok((_, EventKind::Socket(event))) => event,
            other => panic!("not a socket: {other:?}"),
        }
    }

    fn inet(remote: [u8; 4], remote_port: u16) -> Endpoint {
        let mut end = Endpoint { family: 2, protocol: 6, remote_port, ..Endpoint::default() };
        end.remote[..4].copy_from_slice(&remote);
        end
    }

    #[test]
    fn the_kernels_address_goes_before_the_given_one() {
        let given = [2, 0, 0, 80, 9, 9, 9, 9];
        let event = decode(42, inet([1, 2, 3, 4], 443), &given);
        assert_eq!(event.endpoints.remote, Some(([1, 2, 3, 4], 443).into()));
        assert_eq!(event.endpoints.transport, Transport::Tcp);
        let event = decode(42, inet([0; 4], 0), &given);
        assert_eq!(event.endpoints.remote, Some(([9, 9, 9, 9], 80).into()));
        let event = decode(42, inet([9, 9, 9, 9], 0), &given);
        assert_eq!(event.endpoints.remote, Some(([9, 9, 9, 9], 80).into()));
    }

    #[test]
    fn a_mapped_peer_is_told_as_ipv4() {
        let mut end = Endpoint { family: 10, remote_port: 80, ..Endpoint::default() };
        end.remote = Ipv4Addr::new(1, 2, 3, 4).to_ipv6_mapped().octets();
        let event = decode(288, end, &[]);
        assert_eq!(event.endpoints.remote, Some(([1, 2, 3, 4], 80).into()));
        assert_eq!(event.endpoints.family, Endpoints::INET);
    }

    #[test]
    fn a_unix_path_loses_its_padding_but_not_its_mark() {
        let check = |bytes: &[u8], path: &str| assert_eq!(unix_path(bytes), path.into());
        check(b"/run/x.sock\0\0\0", "/run/x.sock");
        check(b"\0abstract", "\0abstract");
        check(b"\0", "");
        check(b"", "");
    }

    #[test]
    fn a_given_address_may_be_cut_anywhere() {
        let whole =
            [10, 0, 0, 80, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        for length in 0..whole.len() {
            decode(42, Endpoint::default(), &whole[..length]);
        }
        assert!(decode(42, Endpoint::default(), &whole).endpoints.remote.is_some());
    }

    #[test]
    fn a_dup_tells_what_the_descriptor_leads_to() {
        let header = Header { syscall: 33, result: 1, ..Header::default() };
        let target = Target {
            kind: limits::TARGET_INTERNET,
            endpoint: inet([1, 2, 3, 4], 4444),
            ..Target::default()
        };
        let record = Descriptor { header, old: 5, target, ..Descriptor::default() };
        let Ok((EventType::Dup2, EventKind::Descriptor(event))) =
            descriptor(Bytes(as_bytes(&record)))
        else {
            panic!("not a dup")
        };
        let DescriptorTarget::Internet(endpoints) = event.target else {
            panic!("not a socket: {event:?}")
        };
        assert_eq!(endpoints.remote, Some(([1, 2, 3, 4], 4444).into()));
        assert_eq!((event.old, event.result), (5, 1));
    }
}
