//! Calls on sockets, and descriptors put on other numbers.

use std::net::SocketAddr;

use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{EventKind, EventType};

use super::line::Line;
use super::world::World;

/// `AF_*` of `linux/socket.h`.
const FAMILIES: &[(&str, u64)] = &[("unix", 1), ("inet", 2), ("inet6", 10), ("packet", 17)];
/// The first descriptor beyond the standard ones.
const DESCRIPTOR: i32 = 3;

pub(super) fn create(world: &mut World, line: &mut Line) -> Result<(), String> {
    let actor = world.process(line.need_as("pid")?)?.actor;
    let family = u16::try_from(line.take_bits("family", FAMILIES)?).unwrap_or_default();
    let socket = SocketEvent {
        operation: SocketOperation::Create,
        result: line.take_as("result")?.unwrap_or_else(|| i64::from(DESCRIPTOR)),
        descriptor: DESCRIPTOR,
        endpoints: Endpoints { family, ..Endpoints::default() },
        ..SocketEvent::default()
    };
    world.push(EventType::Socket, Some(actor), EventKind::Socket(socket));
    Ok(())
}

/// `connect`, `accept`, `bind`, `listen`, `send`.
pub(super) fn call(world: &mut World, line: &mut Line) -> Result<(), String> {
    let (event_type, operation) = match line.verb.as_str() {
        "connect" => (EventType::Connect, SocketOperation::Connect),
        "accept" => (EventType::Accept4, SocketOperation::Accept),
        "bind" => (EventType::Bind, SocketOperation::Bind),
        "listen" => (EventType::Listen, SocketOperation::Listen),
        _ => (EventType::Sendto, SocketOperation::Send),
    };
    let actor = world.process(line.need_as("pid")?)?.actor;
    let path = line.take("path");
    let endpoints = endpoints(line, path.is_some())?;
    let socket = SocketEvent {
        operation,
        result: line.take_as("result")?.unwrap_or(0),
        descriptor: line.take_as("fd")?.unwrap_or(DESCRIPTOR),
        endpoints,
        path: path.unwrap_or_default().into(),
        ..SocketEvent::default()
    };
    world.push(event_type, Some(actor), EventKind::Socket(socket));
    Ok(())
}

pub(super) fn dup(world: &mut World, line: &mut Line) -> Result<(), String> {
    let actor = world.process(line.need_as("pid")?)?.actor;
    let target = match line.take("path") {
        Some(path) => DescriptorTarget::File(path.into()),
        None => DescriptorTarget::Internet(Box::new(endpoints(line, false)?)),
    };
    let descriptor = DescriptorEvent { result: line.need_as("onto")?, old: DESCRIPTOR, target };
    world.push(EventType::Dup2, Some(actor), EventKind::Descriptor(descriptor));
    Ok(())
}

fn endpoints(line: &mut Line, is_unix: bool) -> Result<Endpoints, String> {
    let (local, remote): (Option<SocketAddr>, _) = (line.take_as("from")?, line.take_as("to")?);
    let transport = match line.take("proto").as_deref() {
        None | Some("tcp") if !is_unix => Transport::Tcp,
        Some("udp") => Transport::Udp,
        None => Transport::Unknown,
        Some(other) => return Err(format!("`proto={other}`: tcp and udp are known")),
    };
    let family = match remote.or(local) {
        _ if is_unix => Endpoints::UNIX,
        Some(SocketAddr::V6(_)) => Endpoints::INET6,
        Some(SocketAddr::V4(_)) => Endpoints::INET,
        None => return Err(format!("`{}` needs `to=`, `from=` or `path=`", line.verb)),
    };
    Ok(Endpoints { family, transport, local, remote })
}
