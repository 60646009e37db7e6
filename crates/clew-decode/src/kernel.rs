//! Decodes the records of the kernel sensor.
//!
//! Reading order: this file (header and dispatch), `process`, `file`, `socket`, `dns`, `privilege`
//! (one a family), `stream` (pieces of connections), `stack`, `path` (paths from components), `environment` (what may leave the sensor),
//! [`syscall`] (numbers and names). Pure: the boot and its moment are given once, all else is in
//! the record.

mod dns;
mod environment;
mod file;
mod path;
mod privilege;
mod process;
mod socket;
mod stack;
mod stream;
pub mod syscall;

use clew_event::{
    Actor, BootId, CgroupId, Event, EventId, EventKind, EventType, ProcessKey, Text, TimestampNs,
};
use clew_wire::record::{Header, TextRef};
use clew_wire::{Record, limits};

pub use stack::{Stack, StackMoment};
pub use stream::Stream;

/// Why a record could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends before its fixed part does.
    #[error("record of {given_bytes} bytes where its kind takes at least {required_bytes}")]
    TooShort {
        /// Length of the record.
        given_bytes: usize,
        /// Length of the fixed part.
        required_bytes: usize,
    },
    /// It was written by another version of the programs.
    #[error("record of version {given} where {} is known", limits::WIRE_VERSION)]
    UnknownVersion {
        /// Version in the header.
        given: u16,
    },
    /// There is no such kind.
    #[error("record of unknown kind {given}")]
    UnknownKind {
        /// Kind in the header.
        given: u16,
    },
    /// A text lies outside the record.
    #[error("text of {size_bytes} bytes at {offset} lies outside the record")]
    TextOutside {
        /// Where it would begin.
        offset: u16,
        /// How long it would be.
        size_bytes: u16,
    },
    /// The kind does not go with the system call.
    #[error("system call {number} does not make a record of kind `{}`", limits::kind_name(*kind))]
    WrongCall {
        /// Kind in the header.
        kind: u16,
        /// System call number in the header.
        number: u32,
    },
}

/// The path as the kernel's components for it, leaf first, each ended by a slash; `None` where a
/// record with such components would not be decoded to this path.
#[must_use]
pub fn components(path: &Text) -> Option<Vec<u8>> {
    path::to_components(path)
}

/// Decodes the records of one boot of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    boot: BootId,
    boot_unix_ns: u64,
}

impl Decoder {
    /// A decoder for the boot that began at `boot_unix_ns` (nanoseconds since the epoch).
    #[must_use]
    pub const fn new(boot: BootId, boot_unix_ns: u64) -> Self {
        Self { boot, boot_unix_ns }
    }

    /// Decodes one record that reached user space at `arrived`.
    ///
    /// # Errors
    /// Where the record is too short, of another version, or points outside itself.
    pub fn decode(&self, record: &[u8], arrived: TimestampNs) -> Result<Event, Malformed> {
        let record = Bytes(record);
        let header: Header = record.fixed()?;
        if header.version != limits::WIRE_VERSION {
            return Err(Malformed::UnknownVersion { given: header.version });
        }
        let (event_type, kind) = self.kind(record, &header)?;
        Ok(Event {
            id: self.id(&header),
            time: self.time(header.time_ns),
            arrived,
            event_type,
            // Of a message on the wire it may not be known whose it is.
            actor: (header.kind != limits::KIND_DNS || header.tgid != 0).then(|| Actor {
                process: self.process(header.tgid, header.start_ns),
                cgroup: CgroupId(header.cgroup),
                tid: header.tid,
            }),
            kind,
        })
    }

    /// The moment `boot_ns` after boot.
    #[must_use]
    pub const fn time(&self, boot_ns: u64) -> TimestampNs {
        TimestampNs::from_unix_ns(self.boot_unix_ns.saturating_add(boot_ns))
    }

    fn kind(
        &self,
        record: Bytes<'_>,
        header: &Header,
    ) -> Result<(EventType, EventKind), Malformed> {
        match header.kind {
            limits::KIND_FORK => self.fork(record),
            limits::KIND_EXEC | limits::KIND_TASK => self.exec(record),
            limits::KIND_EXIT => process::exit(record),
            limits::KIND_CGROUP => process::cgroup(record),
            limits::KIND_PRIVILEGE => privilege::privilege(record),
            limits::KIND_KERNEL => privilege::kernel(record),
            limits::KIND_DESCRIPTOR => socket::descriptor(record),
            limits::KIND_FILE => file::file(record),
            limits::KIND_SOCKET => socket::socket(record),
            limits::KIND_DNS => dns::dns(record),
            limits::KIND_EXEC_FAILED => process::exec_failed(record),
            given => Err(Malformed::UnknownKind { given }),
        }
    }

    fn process(&self, tgid: u32, start_ns: u64) -> ProcessKey {
        ProcessKey { start_ns, pid: tgid, boot: self.boot }
    }

    fn id(&self, header: &Header) -> EventId {
        let cpu = u16::try_from(header.cpu).unwrap_or(u16::MAX);
        EventId::from_kernel(self.boot, cpu, header.sequence)
    }
}

/// One record; reads within its bounds only.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn fixed<T: Record>(self) -> Result<T, Malformed> {
        clew_wire::read(self.0).ok_or(Malformed::TooShort {
            given_bytes: self.0.len(),
            required_bytes: size_of::<T>(),
        })
    }

    /// The bytes of a text as they lie in the record.
    fn raw(self, text: TextRef) -> Result<&'a [u8], Malformed> {
        let start = usize::from(text.offset);
        let outside = Malformed::TextOutside { offset: text.offset, size_bytes: text.size };
        self.0.get(start..start + usize::from(text.size)).ok_or(outside)
    }

    fn text(self, text: TextRef) -> Result<Text, Malformed> {
        self.raw(text).map(Text::from)
    }

    /// A text that may be a list of path components.
    fn path(self, text: TextRef) -> Result<Text, Malformed> {
        let raw = self.raw(text)?;
        if text.flags & limits::TEXT_COMPONENTS == 0 {
            return Ok(raw.into());
        }
        Ok(path::from_components(raw, is_truncated(text)))
    }
}

const fn is_truncated(text: TextRef) -> bool {
    text.flags & (limits::TEXT_TRUNCATED | limits::TEXT_UNREAD) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_wire::as_bytes;
    use clew_wire::record::Exit;
    use proptest::prelude::*;

    fn decoder() -> Decoder {
        Decoder::new(BootId(7), 1_000)
    }

    fn decode(record: &[u8]) -> Result<Event, Malformed> {
        decoder().decode(record, TimestampNs::from_unix_ns(9_000))
    }

    fn exit() -> Exit {
        let header = Header {
            kind: limits::KIND_EXIT,
            version: limits::WIRE_VERSION,
            time_ns: 500,
            sequence: 3,
            cpu: 1,
            tgid: 42,
            tid: 43,
            start_ns: 77,
            cgroup: 5,
            ..Header::default()
        };
        Exit { header, code: 0x0100, reserved: 0 }
    }

    #[test]
    fn a_header_tells_who_when_and_which() {
        let event = decode(as_bytes(&exit())).expect("a whole record");
        assert_eq!(event.id, EventId::from_kernel(BootId(7), 1, 3));
        assert_eq!(event.time.unix_ns(), 1_500);
        assert_eq!(event.arrived.unix_ns(), 9_000);
        let process = ProcessKey { start_ns: 77, pid: 42, boot: BootId(7) };
        assert_eq!(event.actor, Some(Actor { process, cgroup: CgroupId(5), tid: 43 }));
    }

    #[test]
    fn another_version_and_an_unknown_kind_are_named() {
        let mut record = exit();
        record.header.version = 9;
        assert_eq!(decode(as_bytes(&record)), Err(Malformed::UnknownVersion { given: 9 }));
        record.header.version = limits::WIRE_VERSION;
        record.header.kind = limits::KINDS;
        let expected = Malformed::UnknownKind { given: limits::KINDS };
        assert_eq!(decode(as_bytes(&record)), Err(expected));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1024)) {
            decode(&bytes).ok();
        }

        #[test]
        fn any_fixed_part_of_any_kind_never_panics(
            kind in 0..limits::KINDS,
            number in prop_oneof![any::<u32>(), 0_u32..512],
            body in proptest::collection::vec(any::<u8>(), 0..1024),
        ) {
            let mut header = exit().header;
            (header.kind, header.syscall) = (kind, number);
            let mut record = as_bytes(&header).to_vec();
            record.extend_from_slice(&body);
            decode(&record).ok();
        }

        #[test]
        fn a_cut_record_is_refused(length in 0..size_of::<Exit>()) {
            let record = exit();
            let cut = as_bytes(&record).get(..length).unwrap_or_default();
            let is_short = matches!(decode(cut), Err(Malformed::TooShort { .. }));
            prop_assert!(is_short);
        }
    }
}
