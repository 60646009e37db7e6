//! Counts what was lost, where it was lost, and tells it in the stream.
//!
//! The programs count every record they make and every one that found its ring full, by CPU and
//! kind. User space reads the counters once a second and tells the difference as events, so that
//! a story knows what it may be missing. For each kind: offered = seen + quieted + lost.

use clew_event::kernel::{LossReason, Lost};
use clew_wire::limits::{self, KIND_COMPAT, KIND_DNS, KIND_STACK, KIND_STREAM, KINDS};
use clew_wire::record::Counts;
use libbpf_rs::{MapCore, MapFlags, MapHandle};

/// Counters since the sensor began, over all CPUs, by kind of record (`KIND_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records that the programs made, or did not make because they are quiet.
    pub offered: [u64; KINDS as usize],
    /// Records that reached user space and were decoded.
    pub seen: [u64; KINDS as usize],
    /// Records that the programs could not hand over.
    pub lost: [u64; KINDS as usize],
    /// Calls that the programs kept back because no rule can match them.
    pub quieted: [u64; KINDS as usize],
    /// Records that reached user space and could not be decoded.
    pub malformed: u64,
    /// Texts that the programs could not read from memory.
    pub unread: u64,
}

impl Totals {
    /// Adds up one array.
    #[must_use]
    pub fn sum(counts: &[u64; KINDS as usize]) -> u64 {
        counts.iter().sum()
    }

    /// What is not zero of one array, by the name of the record.
    pub fn by_record(counts: &[u64; KINDS as usize]) -> impl Iterator<Item = (&'static str, u64)> {
        (0..KINDS).map(limits::kind_name).zip(*counts).filter(|(_, count)| 0 < *count)
    }
}

/// Reads the counters and remembers what was told.
#[derive(Debug)]
pub(crate) struct Losses {
    counters: MapHandle,
    told: Vec<Counts>,
    told_malformed: u64,
}

impl Losses {
    pub(crate) fn new(counters: MapHandle) -> Self {
        Self { counters, told: Vec::new(), told_malformed: 0 }
    }

    /// Gives each CPU's sequence its first number.
    pub(crate) fn begin_at(&self, sequence: u64, cpus: usize) -> Result<(), libbpf_rs::Error> {
        let counts = Counts { sequence, ..Counts::default() };
        let values = vec![clew_wire::as_bytes(&counts).to_vec(); cpus];
        self.counters.update_percpu(&0_u32.to_ne_bytes(), &values, MapFlags::ANY)
    }

    /// The counters of each CPU; empty where the kernel does not tell.
    pub(crate) fn read(&self) -> Vec<Counts> {
        let values = self.counters.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY);
        let values = values.ok().flatten().unwrap_or_default();
        values.iter().filter_map(|value| clew_wire::read(value)).collect()
    }

    /// What was lost since the last call.
    pub(crate) fn since_last(&mut self, malformed: u64) -> Vec<Lost> {
        let current = self.read();
        let mut lost = Vec::new();
        for (cpu, counts) in current.iter().enumerate() {
            let before = self.told.get(cpu).copied().unwrap_or_default();
            lost.extend(difference(cpu, counts, &before));
        }
        if malformed > self.told_malformed {
            lost.push(Lost {
                cpu: u16::MAX,
                reason: LossReason::Malformed,
                record: clew_event::Text::default(),
                count: malformed - self.told_malformed,
            });
        }
        self.told = current;
        self.told_malformed = malformed;
        lost
    }
}

/// One loss for each kind of which `cpu` lost something more.
fn difference(cpu: usize, counts: &Counts, before: &Counts) -> Vec<Lost> {
    let pairs = (0..KINDS).zip(counts.dropped.iter().zip(&before.dropped));
    pairs
        .filter(|(_, (now, before))| now > before)
        .map(|(kind, (now, before))| Lost {
            cpu: u16::try_from(cpu).unwrap_or(u16::MAX),
            reason: reason(kind),
            record: limits::kind_name(kind).into(),
            count: now - before,
        })
        .collect()
}

const fn reason(kind: u16) -> LossReason {
    match kind {
        KIND_COMPAT => LossReason::Malformed,
        KIND_DNS | KIND_STACK | KIND_STREAM => LossReason::RateBound,
        _ if limits::is_bulk(kind) => LossReason::BulkRingFull,
        _ => LossReason::PriorityRingFull,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_named_by_their_record() {
        let mut counts = [0; KINDS as usize];
        counts[usize::from(limits::KIND_FILE)] = 7;
        assert!(Totals::by_record(&counts).eq([("file", 7)]));
    }

    #[test]
    fn only_what_grew_is_told_and_by_its_kind() {
        let mut before = Counts::default();
        before.dropped[usize::from(limits::KIND_FILE)] = 5;
        let mut now = before;
        assert_eq!(difference(1, &now, &before), []);
        now.dropped[usize::from(limits::KIND_FILE)] = 12;
        now.dropped[usize::from(limits::KIND_EXEC)] = 1;
        let told: Vec<_> = difference(1, &now, &before)
            .into_iter()
            .map(|lost| (lost.cpu, lost.reason, lost.record.to_string(), lost.count))
            .collect();
        let exec = (1, LossReason::PriorityRingFull, "exec".to_owned(), 1);
        let file = (1, LossReason::BulkRingFull, "file".to_owned(), 7);
        assert_eq!(told, [exec, file]);
    }
}
