//! Reads the records of stacks; whoever can read the process's files makes frames of them.

use clew_event::stack::{Frame, StackEvent};
use clew_event::{Actor, CgroupId, Event, EventId, EventKind, EventType, TimestampNs};
use clew_wire::limits::{self, STACK_AT_CALL, STACK_AT_EXEC, STACK_AT_FORK};
use clew_wire::record::{Header, Stack as Record};

use super::{Bytes, Decoder, Malformed};

/// The stack of a thread.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// The thread.
    pub actor: Actor,
    /// What the thread is about to do.
    pub moment: StackMoment,
    /// Where the program's arguments lie: what tells the memory of one program from another's.
    pub image: u64,
    /// Where the thread goes on.
    pub ip: u64,
    /// Where its stack ends.
    pub sp: u64,
    /// The base pointer, where it is used for that.
    pub bp: u64,
    /// What lies from `sp` on.
    pub bytes: &'a [u8],
    id: EventId,
    time: TimestampNs,
    arrived: TimestampNs,
}

/// What a stack was told for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackMoment {
    /// A call that another event tells.
    Call(EventId),
    /// The process takes a new program; the parent, of that process id, may share its memory.
    Exec(u32),
    /// A process is made, of that id and start (nanoseconds since boot), which begins on a stack of
    /// its own.
    Fork(u32, u64),
}

impl Decoder {
    /// Reads a record of `KIND_STACK` that reached user space at `arrived`.
    ///
    /// # Errors
    /// Where the record is too short, of another version or kind, or points outside itself.
    pub fn stack<'a>(
        &self,
        record: &'a [u8],
        arrived: TimestampNs,
    ) -> Result<Stack<'a>, Malformed> {
        let bytes = Bytes(record);
        let header: Header = bytes.fixed()?;
        if header.version != limits::WIRE_VERSION {
            return Err(Malformed::UnknownVersion { given: header.version });
        }
        let record: Record = bytes.fixed()?;
        let moment = match (header.kind, record.moment) {
            (limits::KIND_STACK, STACK_AT_CALL) => {
                StackMoment::Call(self.id(&Header { sequence: record.of, ..header }))
            }
            (limits::KIND_STACK, STACK_AT_EXEC) => StackMoment::Exec(record.relative_tgid),
            (limits::KIND_STACK, STACK_AT_FORK) => {
                StackMoment::Fork(record.relative_tgid, record.of)
            }
            (given, _) => return Err(Malformed::UnknownKind { given }),
        };
        Ok(Stack {
            actor: Actor {
                process: self.process(header.tgid, header.start_ns),
                cgroup: CgroupId(header.cgroup),
                tid: header.tid,
            },
            moment,
            image: record.image,
            ip: record.ip,
            sp: record.sp,
            bp: record.bp,
            bytes: bytes.raw(record.bytes)?,
            id: self.id(&header),
            time: self.time(header.time_ns),
            arrived,
        })
    }
}

impl Stack<'_> {
    /// The event that tells what was made of it; `None` of a fork, whose child will tell.
    #[must_use]
    pub fn event(&self, frames: Vec<Frame>, is_truncated: bool) -> Option<Event> {
        let of = match self.moment {
            StackMoment::Call(of) => Some(of),
            StackMoment::Exec(_) => None,
            StackMoment::Fork(..) => return None,
        };
        let stack = StackEvent { of, frames, is_truncated };
        Some(Event {
            id: self.id,
            time: self.time,
            arrived: self.arrived,
            event_type: EventType::Other,
            actor: Some(self.actor),
            kind: EventKind::Stack(Box::new(stack)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_event::BootId;
    use clew_wire::as_bytes;
    use clew_wire::record::TextRef;
    use proptest::prelude::*;

    fn record(moment: u32, bytes: &[u8]) -> Vec<u8> {
        let header = Header {
            kind: limits::KIND_STACK,
            version: limits::WIRE_VERSION,
            sequence: 3,
            cpu: 1,
            tgid: 42,
            ..Header::default()
        };
        let [offset, size] =
            [size_of::<Record>(), bytes.len()].map(|number| u16::try_from(number).expect("small"));
        let bytes_at = TextRef { offset, size, ..TextRef::default() };
        let (of, relative_tgid) = (9, 41);
        let fixed =
            Record { header, moment, of, relative_tgid, bytes: bytes_at, ..Record::default() };
        [as_bytes(&fixed), bytes].concat()
    }

    #[test]
    fn a_stack_tells_what_it_belongs_to() {
        let decoder = Decoder::new(BootId(7), 0);
        let check = |moment, expected, is_told| {
            let record = record(moment, b"stack");
            let stack = decoder.stack(&record, TimestampNs::default()).expect("whole");
            assert_eq!((stack.moment, stack.bytes), (expected, b"stack".as_slice()));
            assert_eq!(stack.event(Vec::new(), false).is_some(), is_told);
        };
        let of = EventId::from_kernel(BootId(7), 1, 9);
        check(STACK_AT_CALL, StackMoment::Call(of), true);
        check(STACK_AT_EXEC, StackMoment::Exec(41), true);
        check(STACK_AT_FORK, StackMoment::Fork(41, 9), false);
    }

    #[test]
    fn an_unknown_moment_and_bytes_outside_the_record_are_refused() {
        let decoder = Decoder::new(BootId(7), 0);
        let unknown = record(9, b"");
        let refused = decoder.stack(&unknown, TimestampNs::default());
        assert!(matches!(refused, Err(Malformed::UnknownKind { .. })), "{refused:?}");
        let mut cut = record(STACK_AT_CALL, b"stack");
        cut.pop();
        let refused = decoder.stack(&cut, TimestampNs::default());
        assert!(matches!(refused, Err(Malformed::TextOutside { .. })), "{refused:?}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            Decoder::new(BootId(7), 0).stack(&bytes, TimestampNs::default()).ok();
        }
    }
}
