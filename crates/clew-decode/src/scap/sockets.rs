//! Calls on sockets, and descriptors put on other numbers.

use std::net::SocketAddr;
use std::sync::Arc;

use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{EventKind, EventType};

use super::address::{self, Address, Pair};
use super::descriptors::{Descriptor, Socket, Target, canonical, transport};
use super::flags;
use super::machine::{Machine, Waiting};
use super::record::Record;
use super::state::{Outcome, Short};

const IN_PROGRESS: i64 = -115;

impl Machine {
    pub(super) fn socket_call(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        use EventType as E;
        use SocketOperation as Op;
        match record.kind {
            19 => self.create(record, waiting),
            21 => self.bind(record, waiting),
            23 => self.connect(record, waiting),
            25 => self.use_socket(record, (E::Listen, Op::Listen), (1, None), waiting),
            31 => self.use_socket(record, (E::Sendto, Op::Send), (2, Some(4)), waiting),
            49 => self.use_socket(record, (E::Sendmsg, Op::Send), (2, Some(4)), waiting),
            51 => self.use_socket(record, (E::Sendmmsg, Op::Send), (1, Some(4)), waiting),
            35 => self.use_socket(record, (E::Recvfrom, Op::Receive), (3, Some(2)), waiting),
            53 => self.use_socket(record, (E::Recvmsg, Op::Receive), (5, Some(3)), waiting),
            55 => self.use_socket(record, (E::Recvmmsg, Op::Receive), (1, Some(4)), waiting),
            247 => self.accept(record, E::Accept, waiting),
            _ => self.accept(record, E::Accept4, waiting),
        }
    }

    fn create(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let domain = record.u32(1).ok_or(Short)?;
        let (kind, protocol) = record.u32(2).zip(record.u32(3)).ok_or(Short)?;
        let family = u16::try_from(domain).unwrap_or(u16::MAX);
        let mut made = match family {
            Endpoints::INET | Endpoints::INET6 => {
                let transport = transport(kind, protocol);
                let endpoints = Endpoints { family, transport, ..Endpoints::default() };
                Descriptor::socket(endpoints, false)
            }
            _ => super::lists::of_family(family),
        };
        made.is_closed_on_exec = record.u32(4).unwrap_or(0) & flags::CLOSED_ON_EXEC != 0;
        let endpoints = Endpoints { family, ..made.endpoints().0 };
        if 0 <= result {
            self.threads.put(record.tid, result, made);
        }
        let socket = SocketEvent {
            operation: SocketOperation::Create,
            result,
            descriptor: descriptor(result),
            endpoints,
            socket_type: u16::try_from(kind & 0xffff).unwrap_or(0),
            protocol: u16::try_from(protocol).unwrap_or(u16::MAX),
            ..SocketEvent::default()
        };
        self.tell(record, EventType::Socket, socket, waiting);
        Ok(true)
    }

    fn bind(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let number = record.signed(2).unwrap_or(-1);
        let address = record.bytes(1).and_then(address::address);
        if 0 <= result {
            let change = |open: &mut Descriptor| match (address, &mut open.target) {
                (Some(Address::Internet(local)), Target::Socket(socket)) => {
                    let local = canonical(local);
                    if local.port() != 0 {
                        socket.is_server = true;
                        socket.endpoints.local = Some(local);
                    }
                }
                (Some(Address::Unix(path)), _) => open.name = path,
                _ => {}
            };
            self.threads.shrink(record.tid, |table| table.change(number, change));
        }
        self.use_socket(record, (EventType::Bind, SocketOperation::Bind), (2, None), waiting)
    }

    fn connect(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let number = record.signed(2).unwrap_or(-1);
        let pair = record.bytes(1).and_then(address::pair);
        if 0 <= result || result == IN_PROGRESS {
            let change = |open: &mut Descriptor| connected(open, pair);
            self.threads.shrink(record.tid, |table| table.change(number, change));
        }
        let kind = (EventType::Connect, SocketOperation::Connect);
        self.use_socket(record, kind, (2, None), waiting)
    }

    fn accept(
        &mut self,
        record: &Record<'_>,
        event_type: EventType,
        waiting: &mut Waiting,
    ) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let pair = record.bytes(1).and_then(address::pair);
        let mut taken = match pair {
            Some(Pair::Internet { source, destination }) => {
                let (remote, local) = (canonical(source), canonical(destination));
                let family = if local.is_ipv4() { Endpoints::INET } else { Endpoints::INET6 };
                let (local, remote) = (Some(local), Some(remote));
                let transport = Transport::Tcp;
                Descriptor::socket(Endpoints { family, transport, local, remote }, true)
            }
            Some(Pair::Unix(path)) => {
                Descriptor { target: Target::Unix, name: path, is_closed_on_exec: false }
            }
            None => Descriptor::default(),
        };
        taken.is_closed_on_exec = record.u32(5).unwrap_or(0) & flags::CLOSED_ON_EXEC != 0;
        let (endpoints, path) = taken.endpoints();
        if 0 <= result && !matches!(taken.target, Target::Unknown) {
            self.threads.put(record.tid, result, taken);
        }
        let operation = SocketOperation::Accept;
        let descriptor = descriptor(result);
        let socket =
            SocketEvent { operation, result, descriptor, endpoints, path, ..<_>::default() };
        self.tell(record, event_type, socket, waiting);
        Ok(true)
    }

    /// A call on a socket that is open: `places` are the parameters with its number and with the
    /// two ends, where the call tells them.
    fn use_socket(
        &mut self,
        record: &Record<'_>,
        (event_type, operation): (EventType, SocketOperation),
        places: (usize, Option<usize>),
        waiting: &mut Waiting,
    ) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let number = record.signed(places.0).unwrap_or(-1);
        let pair = places.1.and_then(|index| record.bytes(index)).and_then(address::pair);
        if 0 <= result
            && let Some(pair) = pair
        {
            let is_sent = operation == SocketOperation::Send;
            let change = |open: &mut Descriptor| told_ends(open, pair, is_sent);
            self.threads.shrink(record.tid, |table| table.change(number, change));
        }
        let open = self.threads.descriptor(record.tid, number);
        let (endpoints, path) = open.map(|open| open.endpoints()).unwrap_or_default();
        let descriptor = descriptor(number);
        let socket =
            SocketEvent { operation, result, descriptor, endpoints, path, ..<_>::default() };
        self.tell(record, event_type, socket, waiting);
        Ok(true)
    }

    fn tell(
        &mut self,
        record: &Record<'_>,
        event_type: EventType,
        socket: SocketEvent,
        waiting: &mut Waiting,
    ) {
        let actor = self.actor(record.tid);
        self.emit((record.time_ns, actor), event_type, EventKind::Socket(socket), waiting);
    }

    /// `dup`, `dup2` and `dup3`.
    pub(super) fn duplicate(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let (result, old) = record.signed(0).zip(record.signed(1)).ok_or(Short)?;
        let event_type = match record.kind {
            363 => EventType::Dup2,
            365 => EventType::Dup3,
            _ => EventType::Dup,
        };
        let is_closed_on_exec = record.kind == 365
            && record.u32(3).is_some_and(|flags| flags & flags::CLOSED_ON_EXEC != 0);
        let mut target = DescriptorTarget::None;
        if let Some(open) = self.threads.descriptor(record.tid, old) {
            target = open.leads_to();
            let mut copy = Arc::clone(open);
            if copy.is_closed_on_exec != is_closed_on_exec {
                Arc::make_mut(&mut copy).is_closed_on_exec = is_closed_on_exec;
            }
            if 0 <= result {
                self.threads.put(record.tid, result, copy);
            }
        }
        let event = DescriptorEvent { result, old: descriptor(old), target };
        let actor = self.actor(record.tid);
        self.emit((record.time_ns, actor), event_type, EventKind::Descriptor(event), waiting);
        Ok(true)
    }
}

fn connected(open: &mut Descriptor, pair: Option<Pair>) {
    match pair {
        Some(Pair::Internet { source, destination }) => {
            let (local, remote) = (canonical(source), canonical(destination));
            let family = if remote.is_ipv4() { Endpoints::INET } else { Endpoints::INET6 };
            let transport = match &open.target {
                Target::Socket(socket) => socket.endpoints.transport,
                _ => Transport::Unknown,
            };
            let endpoints =
                Endpoints { family, transport, local: Some(local), remote: Some(remote) };
            open.target = Target::Socket(Socket { endpoints, is_server: false });
        }
        Some(Pair::Unix(path)) => {
            open.target = Target::Unix;
            open.name = path;
        }
        None => {}
    }
}

/// Takes over the ends that a datagram's call tells; a connected stream keeps its own.
fn told_ends(open: &mut Descriptor, pair: Pair, is_sent: bool) {
    match (pair, &mut open.target) {
        (Pair::Internet { source, destination }, Target::Socket(socket)) => {
            let is_settled = socket.endpoints.remote.is_some();
            if socket.endpoints.transport == Transport::Tcp && is_settled {
                return;
            }
            let (source, destination) = (canonical(source), canonical(destination));
            let (local, remote): (SocketAddr, SocketAddr) =
                if is_sent { (source, destination) } else { (destination, source) };
            (socket.endpoints.local, socket.endpoints.remote) = (Some(local), Some(remote));
            if remote.is_ipv4() {
                socket.endpoints.family = Endpoints::INET;
            }
        }
        (Pair::Unix(path), Target::Unix) if !path.is_empty() => open.name = path,
        _ => {}
    }
}

fn descriptor(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(-1)
}
