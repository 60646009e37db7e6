//! Syslog as RFC 5424 has it, over the machine's socket, UDP (RFC 5426) or TCP (RFC 6587).
//!
//! The message is the JSON line. Over TCP each message has its length before it (octet counting),
//! so that no line break can split it. A datagram has a limit: what is longer is cut, and counted.
//!
//! UDP has no answer. Where nobody listens on the other end, the kernel may say so with the next
//! datagram: that one is tried again, and the one before was lost though it counts as sent.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use clew_event::{Priority, TimestampNs};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::channel::{Channel, Delivered, Failure};
use crate::form::Note;
use crate::spec::SyslogAddress;

/// Bytes of one datagram: below what UDP and a unix socket's default buffer carry.
const DATAGRAM_BYTES_MAX: usize = 60_000;
/// Bytes of a host name, as RFC 5424 has them.
const HOSTNAME_BYTES_MAX: usize = 255;
/// The facility `user`, which Falco uses too.
const FACILITY_USER: u8 = 1;

/// Sends to a syslog daemon.
#[derive(Debug)]
pub(crate) struct Syslog {
    address: SyslogAddress,
    hostname: String,
    timeout: Duration,
    link: Option<Link>,
}

#[derive(Debug)]
enum Link {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Syslog {
    /// Connects with the first line.
    pub(crate) fn new(address: SyslogAddress, hostname: &str, timeout: Duration) -> Self {
        Self { address, hostname: header_field(hostname), timeout, link: None }
    }

    fn connect(&self) -> io::Result<Link> {
        match &self.address {
            SyslogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(self.timeout))?;
                socket.connect(path)?;
                Ok(Link::Unix(socket))
            }
            SyslogAddress::Udp(address) => each_address(address, |found| {
                let own = if found.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(own)?;
                socket.connect(found)?;
                Ok(Link::Udp(socket))
            }),
            SyslogAddress::Tcp(address) => each_address(address, |found| {
                let stream = TcpStream::connect_timeout(&found, self.timeout)?;
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(self.timeout))?;
                Ok(Link::Tcp(stream))
            }),
        }
    }

    fn send(&mut self, message: &str) -> io::Result<Delivered> {
        if let Some(Link::Tcp(stream)) = &mut self.link
            && is_closed(stream)?
        {
            self.link = None;
        }
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                let link = self.connect()?;
                self.link.insert(link)
            }
        };
        match link {
            Link::Unix(socket) => datagram(message, |bytes| socket.send(bytes)),
            Link::Udp(socket) => datagram(message, |bytes| socket.send(bytes)),
            Link::Tcp(stream) => {
                let framed = format!("{} {message}", message.len());
                stream.write_all(framed.as_bytes()).map(|()| Delivered::Whole)
            }
        }
    }
}

impl Channel for Syslog {
    fn deliver(&mut self, note: &Note) -> Result<Delivered, Failure> {
        let message = message(note, &self.hostname);
        let sent = self.send(&message);
        if sent.is_err() {
            // Half a message may be on its way: the next one begins on a new connection.
            self.link = None;
        }
        sent.map_err(|error| Failure::passing("cannot reach the syslog daemon", &error))
    }

    fn reopen(&mut self) {
        self.link = None;
    }
}

/// Tries each address of a name until one answers.
fn each_address<L>(
    name: &str,
    connect: impl Fn(std::net::SocketAddr) -> io::Result<L>,
) -> io::Result<L> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in name.to_socket_addrs()? {
        match connect(address) {
            Ok(link) => return Ok(link),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends at most a datagram's bytes of `message`, cut between two characters.
fn datagram(message: &str, send: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<Delivered> {
    if message.len() <= DATAGRAM_BYTES_MAX {
        return send(message.as_bytes()).map(|_| Delivered::Whole);
    }
    let (beginning, _) = message.split_at(message.floor_char_boundary(DATAGRAM_BYTES_MAX));
    send(beginning.as_bytes()).map(|_| Delivered::Cut)
}

/// True where the other end has closed. A write would not tell: the kernel takes it all the same.
fn is_closed(stream: &mut TcpStream) -> io::Result<bool> {
    let mut watched = [PollFd::new(&*stream, PollFlags::IN)];
    if poll(&mut watched, Some(&Timespec::default()))? == 0 {
        return Ok(false);
    }
    // A syslog daemon never answers; whatever one says is let go.
    let mut answer = [0; 256];
    Ok(stream.read(&mut answer).is_ok_and(|length| length == 0))
}

/// The message with its header.
fn message(note: &Note, hostname: &str) -> String {
    let priority = FACILITY_USER * 8 + severity(note.priority);
    let mut text = String::with_capacity(note.line.len() + 96);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "<{priority}>1 {} {hostname} clew {} {} - {}",
        microseconds(note.time),
        std::process::id(),
        note.subject,
        note.line
    );
    text
}

/// The level of RFC 5424, whose names rules use.
const fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Emergency => 0,
        Priority::Alert => 1,
        Priority::Critical => 2,
        Priority::Error => 3,
        Priority::Warning => 4,
        Priority::Notice => 5,
        Priority::Informational => 6,
        Priority::Debug => 7,
    }
}

/// The time with six digits, which is the most that RFC 5424 takes.
fn microseconds(time: TimestampNs) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, fraction)) => {
            let digits: String = fraction.chars().take(6).collect();
            format!("{seconds}.{digits}Z")
        }
        None => "-".to_owned(),
    }
}

/// What a header's field may hold: printable ASCII without spaces; `-` where that is nothing.
fn header_field(text: &str) -> String {
    let field: String =
        text.chars().filter(char::is_ascii_graphic).take(HOSTNAME_BYTES_MAX).collect();
    if field.is_empty() { "-".to_owned() } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(line: &str) -> Note {
        let time = TimestampNs::from_unix_ns(1_764_000_000_123_456_789);
        Note { line: line.into(), priority: Priority::Warning, time, subject: "finding" }
    }

    #[test]
    fn a_message_has_the_header_of_rfc_5424() {
        let pid = std::process::id();
        assert_eq!(
            message(&note("{}"), "node-1"),
            format!("<12>1 2025-11-24T16:00:00.123456Z node-1 clew {pid} finding - {{}}")
        );
    }

    #[test]
    fn a_host_name_is_never_two_fields_and_at_most_hostname_bytes_max() {
        assert_eq!(header_field("node 1\né"), "node1");
        assert_eq!(header_field(""), "-");
        assert_eq!(header_field(&"n".repeat(HOSTNAME_BYTES_MAX + 1)).len(), HOSTNAME_BYTES_MAX);
    }

    #[test]
    fn a_datagram_is_cut_at_datagram_bytes_max_between_two_characters() {
        let check = |message: &str, expected: (usize, Delivered)| {
            let length = std::cell::Cell::new(0);
            let send = |bytes: &[u8]| {
                assert!(std::str::from_utf8(bytes).is_ok());
                length.set(bytes.len());
                Ok(bytes.len())
            };
            let delivered = datagram(message, send).unwrap();
            assert_eq!((length.get(), delivered), expected);
        };
        check(&"x".repeat(DATAGRAM_BYTES_MAX), (DATAGRAM_BYTES_MAX, Delivered::Whole));
        check(&"x".repeat(DATAGRAM_BYTES_MAX + 1), (DATAGRAM_BYTES_MAX, Delivered::Cut));
        let two_bytes_each = format!("x{}", "é".repeat(DATAGRAM_BYTES_MAX));
        check(&two_bytes_each, (DATAGRAM_BYTES_MAX - 1, Delivered::Cut));
    }
}
