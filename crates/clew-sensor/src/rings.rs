//! Both ring buffers: waiting on them, and draining them up to a common moment.
//!
//! The bulk ring's end is noted first and the priority ring is emptied before the bulk ring is
//! read. So whatever priority record happened before a bulk record of this round is in this round
//! too, and an exec is never waited for by the opens that follow it.

use std::time::Duration;

use clew_decode::kernel::Decoder;
use clew_event::TimestampNs;
use clew_wire::limits::KINDS;
use clew_wire::record::Header;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::order::Order;
use crate::sys::Ring;

/// Records of one ring that one round takes, so that a flood cannot keep the caller waiting.
pub(crate) const RECORDS_PER_ROUND_MAX: u32 = 8192;

/// How long after its time stamp a record may be committed and still find its place. The stamp is
/// taken first and the record copied last; both lie in one run of a program that is not preempted.
const COMMIT_SPAN_NS: u64 = 500_000;

/// The reading ends of both rings and what was read from them.
#[derive(Debug)]
pub(crate) struct Rings {
    priority: Ring,
    bulk: Ring,
    decoder: Decoder,
    seen: [u64; KINDS as usize],
    malformed: u64,
    /// True where the last round found something: the next one waits a little instead of being
    /// woken by the first record, so that waking up is paid once for many records.
    is_busy: bool,
}

/// What is waited for before a round.
pub(crate) enum Wait {
    /// Any record, or this long.
    AnyRecord(Duration),
    /// A priority record, or this long.
    PriorityRecord(Duration),
}

impl Rings {
    pub(crate) fn new(priority: Ring, bulk: Ring, decoder: Decoder) -> Self {
        let seen = [0; KINDS as usize];
        Self { priority, bulk, decoder, seen, malformed: 0, is_busy: false }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Records decoded, by kind.
    pub(crate) fn seen(&self) -> &[u64; KINDS as usize] {
        &self.seen
    }

    /// Records that could not be decoded.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Waits; a signal ends the wait early, which the caller cannot tell from a time-out.
    pub(crate) fn wait(&self, wait: &Wait) -> Result<(), Errno> {
        let mut both = [
            PollFd::from_borrowed_fd(self.priority.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.bulk.fd(), PollFlags::IN),
        ];
        let (count, timeout) = match wait {
            Wait::AnyRecord(timeout) => (2, timeout),
            Wait::PriorityRecord(timeout) => (1, timeout),
        };
        let timeout = Timespec::try_from(*timeout).map_err(|_| Errno::INVAL)?;
        match poll(both.get_mut(..count).unwrap_or_default(), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Takes one round of records into `order` and tells it up to which moment it is complete.
    ///
    /// True where nothing was left behind.
    pub(crate) fn drain(&mut self, order: &mut Order, clock: &Clock) -> bool {
        let bulk_end = self.bulk.written();
        let begun_ns = clock.boot_ns();
        let arrived = clock.unix();
        let mut complete_ns = begun_ns.saturating_sub(COMMIT_SPAN_NS);
        let (mut count, mut is_all) = (0_usize, true);
        let priority_end = self.priority.written();
        for (ring, end) in [(&mut self.priority, priority_end), (&mut self.bulk, bulk_end)] {
            let mut last_ns = 0;
            let is_exhausted = ring.drain(end, RECORDS_PER_ROUND_MAX, |record| {
                count += 1;
                match self.decoder.decode(record, arrived) {
                    Ok(event) => {
                        let header: Header = clew_wire::read(record).unwrap_or_default();
                        last_ns = header.time_ns;
                        if let Some(seen) = self.seen.get_mut(usize::from(header.kind)) {
                            *seen += 1;
                        }
                        order.push(event);
                    }
                    Err(_) => self.malformed += 1,
                }
            });
            is_all &= is_exhausted;
            if !is_exhausted {
                complete_ns = complete_ns.min(last_ns.saturating_sub(COMMIT_SPAN_NS));
            }
        }
        self.is_busy = count > 0;
        order.complete_until(self.decoder.time(complete_ns));
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
