//! Reads the records of pieces of connections; what their bytes mean is [`crate::http`]'s matter.

use clew_event::socket::Endpoints;
use clew_event::{Actor, CgroupId, TimestampNs};
use clew_wire::limits::{self, STREAM_ACCEPTED, STREAM_END, STREAM_SENT, STREAM_TLS};
use clew_wire::record::{Header, Stream as Record};

use super::{Bytes, Decoder, Malformed, socket};
use crate::http::Piece;

/// The record of a piece.
#[derive(Debug)]
pub struct Stream<'a> {
    record: Record,
    header: Header,
    bytes: &'a [u8],
    endpoints: Endpoints,
    arrived: TimestampNs,
}

impl Decoder {
    /// Reads a record of `KIND_STREAM` that reached user space at `arrived`.
    ///
    /// # Errors
    /// Where the record is too short, of another version or kind, or points outside itself.
    pub fn stream<'a>(
        &self,
        record: &'a [u8],
        arrived: TimestampNs,
    ) -> Result<Stream<'a>, Malformed> {
        let bytes = Bytes(record);
        let header: Header = bytes.fixed()?;
        if header.version != limits::WIRE_VERSION {
            return Err(Malformed::UnknownVersion { given: header.version });
        }
        if header.kind != limits::KIND_STREAM {
            return Err(Malformed::UnknownKind { given: header.kind });
        }
        let record: Record = bytes.fixed()?;
        let endpoints = socket::endpoints(&record.ends, 0);
        Ok(Stream { record, header, bytes: bytes.raw(record.bytes)?, endpoints, arrived })
    }

    /// The piece that `stream` tells.
    #[must_use]
    pub fn piece<'a>(&self, stream: &'a Stream<'a>) -> Piece<'a> {
        let (record, header) = (&stream.record, &stream.header);
        let has = |flag| record.flags & flag != 0;
        Piece {
            id: self.id(header),
            time: self.time(header.time_ns),
            arrived: stream.arrived,
            actor: Actor {
                process: self.process(header.tgid, header.start_ns),
                cgroup: CgroupId(header.cgroup),
                tid: header.tid,
            },
            connection: record.connection,
            endpoints: &stream.endpoints,
            is_accepted: has(STREAM_ACCEPTED),
            is_sent: has(STREAM_SENT),
            is_tls: has(STREAM_TLS),
            is_end: has(STREAM_END),
            position: record.position,
            moved: record.moved.into(),
            bytes: stream.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_event::{BootId, EventId};
    use clew_wire::as_bytes;
    use clew_wire::record::{Endpoint, TextRef};

    fn record(bytes: &[u8]) -> Vec<u8> {
        let header = Header {
            kind: limits::KIND_STREAM,
            version: limits::WIRE_VERSION,
            time_ns: 500,
            sequence: 3,
            cpu: 1,
            tgid: 42,
            tid: 43,
            ..Header::default()
        };
        let mut ends = Endpoint { family: 2, protocol: 6, ..Endpoint::default() };
        (ends.local_port, ends.remote_port) = (80, 40_000);
        let [offset, size] = [size_of::<Record>(), bytes.len()];
        let [offset, size] = [offset, size].map(|number| u16::try_from(number).expect("small"));
        let fixed = Record {
            header,
            connection: 9,
            position: 7,
            moved: 100,
            flags: STREAM_ACCEPTED | STREAM_SENT,
            ends,
            bytes: TextRef { offset, size, ..TextRef::default() },
        };
        [as_bytes(&fixed), bytes].concat()
    }

    #[test]
    fn a_record_tells_whose_bytes_went_where() {
        let decoder = Decoder::new(BootId(7), 1_000);
        let record = record(b"HTTP/1.1");
        let stream = decoder.stream(&record, TimestampNs::from_unix_ns(9_000)).expect("whole");
        let piece = decoder.piece(&stream);
        assert_eq!(piece.id, EventId::from_kernel(BootId(7), 1, 3));
        assert_eq!((piece.time.unix_ns(), piece.arrived.unix_ns()), (1_500, 9_000));
        assert_eq!((piece.actor.process.pid, piece.actor.tid), (42, 43));
        assert_eq!((piece.connection, piece.position, piece.moved), (9, 7, 100));
        assert_eq!((piece.is_accepted, piece.is_sent), (true, true));
        assert_eq!((piece.is_tls, piece.is_end), (false, false));
        assert_eq!(piece.endpoints.local.map(|end| end.port()), Some(80));
        assert_eq!(piece.bytes, b"HTTP/1.1");
    }

    #[test]
    fn bytes_outside_the_record_and_other_kinds_are_refused() {
        let decoder = Decoder::new(BootId(7), 1_000);
        let mut record = record(b"GET");
        record.pop();
        let outside = decoder.stream(&record, TimestampNs::default());
        assert!(matches!(outside, Err(Malformed::TextOutside { .. })), "{outside:?}");
        record[0] = u8::try_from(limits::KIND_DNS).expect("small");
        let other = decoder.stream(&record, TimestampNs::default());
        assert!(matches!(other, Err(Malformed::UnknownKind { .. })), "{other:?}");
    }
}
