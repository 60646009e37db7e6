//! The ring buffers: waiting on them, and draining them up to a common moment.
//!
//! The ends of the bulk and the stream ring are noted first and the priority ring is emptied before
//! they are read. So whatever priority record happened before a bulk record of this round is in
//! this round too, and an exec is never waited for by the opens that follow it.
//! Pieces of connections become requests and responses here, in the order of their ring.

use std::time::Duration;

use clew_decode::http::Assembler;
use clew_decode::kernel::Decoder;
use clew_event::{Event, TimestampNs};
use clew_wire::limits::{KIND_STACK, KIND_STREAM, KINDS};
use clew_wire::record::Header;
use libbpf_rs::{MapCore, MapFlags, MapHandle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::order::Order;
use crate::stacks::Stacks;
use crate::sys::Ring;
use crate::urgency::Urgency;

/// Records of one ring that one round takes, so that a flood cannot keep the caller waiting.
pub(crate) const RECORDS_PER_ROUND_MAX: u32 = 8192;

/// Records of a round from which on there is a flow of them.
const BUSY_RECORDS_MIN: usize = 16;

/// How long after its time stamp a record may be committed and still find its place. The stamp is
/// taken first and the record copied last; both lie in one run of a program that is not preempted.
const COMMIT_SPAN_NS: u64 = 500_000;

/// How often connections are looked at of which nothing comes any more.
const EXPIRE_SPAN_NS: u64 = 100_000_000;

/// The rings by what they hold.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) priority: Ring,
    pub(crate) bulk: Ring,
    pub(crate) stream: Ring,
}

/// The reading ends of the rings and what was read from them.
#[derive(Debug)]
pub(crate) struct Rings {
    ends: Ends,
    reader: Reader,
    expired_ns: u64,
    /// True where the last round found many records: the next one waits a little instead of being
    /// woken by the first record, so that waking up is paid once for many records.
    is_busy: bool,
    /// Tells the kernel whether any record wakes the reader.
    sleeping: MapHandle,
    is_sleeping: bool,
    urgency: Urgency,
}

/// Makes events of records.
#[derive(Debug)]
struct Reader {
    decoder: Decoder,
    http: Assembler,
    stacks: Stacks,
    /// What the last piece told.
    told: Vec<Event>,
    seen: [u64; KINDS as usize],
    malformed: u64,
}

/// What is waited for before a round.
pub(crate) enum Wait {
    /// Any record, or this long.
    AnyRecord(Duration),
    /// A priority record, or this long.
    PriorityRecord(Duration),
}

impl Reader {
    /// Reads one record; its time, where it can be decoded.
    fn read(&mut self, record: &[u8], arrived: TimestampNs, order: &mut Order) -> Option<u64> {
        let header: Header = clew_wire::read(record).unwrap_or_default();
        let is_read = match header.kind {
            KIND_STREAM => self.read_stream(record, arrived, order),
            KIND_STACK => self.read_stack(record, arrived, order),
            _ => self.decoder.decode(record, arrived).map(|event| order.push(event)).is_ok(),
        };
        if !is_read {
            self.malformed += 1;
            return None;
        }
        if let Some(seen) = self.seen.get_mut(usize::from(header.kind)) {
            *seen += 1;
        }
        Some(header.time_ns)
    }

    fn read_stream(&mut self, record: &[u8], arrived: TimestampNs, order: &mut Order) -> bool {
        let Ok(stream) = self.decoder.stream(record, arrived) else {
            return false;
        };
        self.http.take(&self.decoder.piece(&stream), &mut self.told);
        self.told.drain(..).for_each(|event| order.push(event));
        true
    }

    fn read_stack(&mut self, record: &[u8], arrived: TimestampNs, order: &mut Order) -> bool {
        let Ok(stack) = self.decoder.stack(record, arrived) else {
            return false;
        };
        self.stacks.take(&stack, arrived.unix_ns()).into_iter().for_each(|it| order.push(it));
        true
    }
}

impl Rings {
    pub(crate) fn new(ends: Ends, sleeping: MapHandle, decoder: Decoder, http: Assembler) -> Self {
        let seen = [0; KINDS as usize];
        let (stacks, told) = (Stacks::default(), Vec::new());
        let reader = Reader { decoder, http, stacks, told, seen, malformed: 0 };
        Self {
            ends,
            reader,
            expired_ns: 0,
            is_busy: false,
            sleeping,
            is_sleeping: false,
            urgency: Urgency::new(),
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Records decoded, by kind.
    pub(crate) fn seen(&self) -> &[u64; KINDS as usize] {
        &self.reader.seen
    }

    /// Records that could not be decoded.
    pub(crate) fn malformed(&self) -> u64 {
        self.reader.malformed
    }

    /// What was made of the pieces of connections.
    pub(crate) fn http(&self) -> &Assembler {
        &self.reader.http
    }

    /// What was made of stacks.
    pub(crate) fn stacks(&self) -> &Stacks {
        &self.reader.stacks
    }

    /// Waits; a signal ends the wait early, which the caller cannot tell from a time-out.
    pub(crate) fn wait(&mut self, wait: &Wait) -> Result<(), Errno> {
        // Before the rings are looked at once more: what comes after that look wakes.
        self.sleep(matches!(wait, Wait::AnyRecord(_)));
        let mut all = [
            PollFd::from_borrowed_fd(self.ends.priority.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.ends.bulk.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.ends.stream.fd(), PollFlags::IN),
        ];
        let (count, timeout) = match wait {
            Wait::AnyRecord(timeout) => (all.len(), timeout),
            Wait::PriorityRecord(timeout) => (1, timeout),
        };
        let timeout = Timespec::try_from(*timeout).map_err(|_| Errno::INVAL)?;
        match poll(all.get_mut(..count).unwrap_or_default(), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Tells the kernel whether records of files and streams have to wake the reader.
    fn sleep(&mut self, is_sleeping: bool) {
        if self.is_sleeping != is_sleeping {
            let value = u32::from(is_sleeping).to_ne_bytes();
            let told = self.sleeping.update(&0_u32.to_ne_bytes(), &value, MapFlags::ANY);
            if told.is_ok() {
                self.is_sleeping = is_sleeping;
            }
        }
    }

    /// Takes one round of records into `order` and tells it up to which moment it is complete.
    ///
    /// True where nothing was left behind.
    pub(crate) fn drain(&mut self, order: &mut Order, clock: &Clock) -> bool {
        let Ends { priority, bulk, stream } = &mut self.ends;
        self.urgency.judge(&[priority.waiting(), bulk.waiting(), stream.waiting()]);
        let (bulk_end, stream_end) = (bulk.written(), stream.written());
        let begun_ns = clock.boot_ns();
        let arrived = clock.unix();
        let mut complete_ns = begun_ns.saturating_sub(COMMIT_SPAN_NS);
        let (mut count, mut is_all) = (0_usize, true);
        let priority_end = priority.written();
        for (ring, end) in [(priority, priority_end), (bulk, bulk_end), (stream, stream_end)] {
            let mut last_ns = 0;
            let is_exhausted = ring.drain(end, RECORDS_PER_ROUND_MAX, |record| {
                count += 1;
                if let Some(time_ns) = self.reader.read(record, arrived, order) {
                    last_ns = time_ns;
                }
            });
            is_all &= is_exhausted;
            if !is_exhausted {
                complete_ns = complete_ns.min(last_ns.saturating_sub(COMMIT_SPAN_NS));
            }
        }
        self.is_busy = BUSY_RECORDS_MIN <= count;
        let complete = self.reader.decoder.time(complete_ns);
        if begun_ns.saturating_sub(self.expired_ns) >= EXPIRE_SPAN_NS {
            self.expired_ns = begun_ns;
            self.reader.http.expire(complete, &mut self.reader.told);
            self.reader.told.drain(..).for_each(|event| order.push(event));
        }
        order.complete_until(complete);
        is_all
    }
}

/// The kernel's clocks: records are stamped with time since boot, events with time since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock;

impl Clock {
    /// Nanoseconds since boot, suspend included: the clock of the records.
    pub(crate) fn boot_ns(self) -> u64 {
        Self::read(rustix::time::ClockId::Boottime)
    }

    /// Now.
    pub(crate) fn unix(self) -> TimestampNs {
        TimestampNs::from_unix_ns(Self::read(rustix::time::ClockId::Realtime))
    }

    fn read(clock: rustix::time::ClockId) -> u64 {
        let time = rustix::time::clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::HELD_EVENTS_MAX;
    use crate::sensor::BOOTSTRAP_ROUNDS_MAX;

    #[test]
    fn the_rounds_of_the_start_can_be_held_back() {
        let round = usize::try_from(2 * RECORDS_PER_ROUND_MAX).expect("small");
        assert!(BOOTSTRAP_ROUNDS_MAX * round <= HELD_EVENTS_MAX);
    }

    #[test]
    fn the_clocks_run_apart_by_the_moment_of_boot() {
        let (boot, unix) = (Clock.boot_ns(), Clock.unix().unix_ns());
        assert!(0 < boot && boot < unix);
    }
}
