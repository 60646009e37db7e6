//! Sockets and descriptors as the sensor tells them.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use clew_event::EventKind;
use clew_event::socket::{DescriptorTarget, SocketEvent, SocketOperation, Transport};

use crate::watch::{Seen, watch};

fn sockets(seen: &Seen, operation: SocketOperation) -> Vec<&SocketEvent> {
    let of_kind = seen.own().filter_map(|event| match &event.kind {
        EventKind::Socket(socket) if socket.operation == operation => Some(socket),
        _ => None,
    });
    of_kind.collect()
}

#[test]
fn a_connection_tells_both_ends_on_both_sides() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let mut ours = None;
    let Some(seen) = watch(|_| {
        let stream = TcpStream::connect(address).expect("connects");
        ours = stream.local_addr().ok();
        listener.accept().expect("accepts");
        let refused = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        assert!(TcpStream::connect(refused.expect("a port")).is_err());
    }) else {
        return;
    };
    let connected = sockets(&seen, SocketOperation::Connect);
    assert_eq!(connected[0].endpoints.remote, Some(address));
    assert_eq!(connected[0].endpoints.local, ours);
    assert_eq!(connected[0].endpoints.transport, Transport::Tcp);
    let accepted = &sockets(&seen, SocketOperation::Accept)[0].endpoints;
    assert_eq!((accepted.local, accepted.remote), (Some(address), ours));
    let bound = sockets(&seen, SocketOperation::Bind)[0];
    let refused = connected[1];
    assert_eq!(refused.result, -111);
    assert_eq!(refused.endpoints.remote, bound.endpoints.local);
    assert_eq!(sockets(&seen, SocketOperation::Listen).len(), 1);
}

#[test]
fn a_datagram_and_a_unix_socket_tell_where_they_go() {
    let target = UdpSocket::bind("[::1]:0").expect("binds");
    let target = target.local_addr().expect("an address");
    let Some(seen) = watch(|folder| {
        let socket = UdpSocket::bind("[::]:0").expect("binds");
        socket.send_to(b"x", target).expect("sends");
        let path = folder.join("socket");
        let listener = UnixListener::bind(&path).expect("binds");
        UnixStream::connect(&path).expect("connects");
        listener.accept().expect("accepts");
    }) else {
        return;
    };
    let sent = sockets(&seen, SocketOperation::Send);
    assert_eq!(sent[0].endpoints.remote, Some(target));
    assert_eq!((sent[0].endpoints.transport, sent[0].result), (Transport::Udp, 1));
    let path = seen.folder.join("socket").display().to_string();
    for operation in [SocketOperation::Connect, SocketOperation::Accept] {
        assert_eq!(sockets(&seen, operation)[0].path.to_string(), path, "{operation:?}");
    }
}

#[test]
fn a_reverse_shell_is_told_by_its_descriptors() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let Some(seen) = watch(|_| {
        let stream = TcpStream::connect(address).expect("connects");
        let socket = || Stdio::from(OwnedFd::from(stream.try_clone().expect("a copy")));
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(":").stdin(socket()).stdout(socket()).stderr(socket());
        shell.status().expect("runs");
    }) else {
        return;
    };
    let (actor, executed) = seen.exec_named("sh");
    let is_peer = |target: &DescriptorTarget| match target {
        DescriptorTarget::Internet(ends) => ends.remote == Some(address),
        _ => false,
    };
    let stdio = &executed.surroundings.as_ref().expect("always").stdio;
    assert!(stdio.iter().all(is_peer), "{stdio:?}");
    let copied: Vec<_> = seen
        .events
        .iter()
        .filter(|event| event.actor.is_some_and(|found| found.process == actor.process))
        .filter_map(|event| match &event.kind {
            EventKind::Descriptor(descriptor) if is_peer(&descriptor.target) => {
                Some(descriptor.result)
            }
            _ => None,
        })
        .collect();
    assert_eq!(copied, [0, 1, 2]);
}
