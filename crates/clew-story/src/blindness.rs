//! Remembers what could not be seen: what a sensor cannot see at all, what was lost, and what the
//! engine gave up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clew_event::kernel::LossReason;
use clew_event::{BootId, Event, EventKind, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::forgotten::Gaps;

const NS_PER_MINUTE: u64 = 60_000_000_000;

/// What could not be seen, by machine and minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Blindness {
    nodes: VecDeque<Sight>,
    losses: VecDeque<Loss>,
    /// Losses that were themselves let go because there were too many minutes of them.
    losses_forgotten: u64,
    /// What the engine knew and gave up.
    #[serde(default)]
    pub(crate) gaps: Gaps,
}

/// One machine and what its sensor cannot see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sight {
    boot: BootId,
    hostname: Text,
    blind_spots: Vec<String>,
}

/// Events lost in one minute for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Loss {
    minute: u64,
    boot: BootId,
    reason: LossReason,
    record: Text,
    count: u64,
}

impl Blindness {
    /// Machines remembered; the one that started longest ago goes first.
    const NODES_MAX: usize = 256;
    /// Minutes × reasons of loss remembered; the oldest goes first.
    const LOSSES_MAX: usize = 1_024;
    /// What an audit log says of its files is up to so much older: an hour that its digest covers,
    /// and 15 minutes by which its events are late.
    const AUDIT_MINUTES: u64 = 75;
    /// Blind spots of one machine that are kept.
    const SPOTS_MAX: usize = 32;

    pub(crate) fn observe(&mut self, event: &Event) {
        match &event.kind {
            EventKind::NodeStarted(node) => {
                self.nodes.retain(|other| other.boot != node.boot);
                let spots = node.blind_spots.iter().take(Self::SPOTS_MAX);
                self.nodes.push_back(Sight {
                    boot: node.boot,
                    hostname: node.hostname.clone(),
                    blind_spots: spots.map(|spot| shown(spot)).collect(),
                });
                if Self::NODES_MAX < self.nodes.len() {
                    self.nodes.pop_front();
                }
            }
            EventKind::Lost(lost) => {
                let minute = event.time.unix_ns() / NS_PER_MINUTE;
                let boot = boot_of(event);
                self.add(Loss {
                    minute,
                    boot,
                    reason: lost.reason,
                    record: lost.record.clone(),
                    count: lost.count,
                });
            }
            _ => {}
        }
    }

    fn add(&mut self, loss: Loss) {
        let same = self.losses.iter_mut().rev().find(|other| {
            (other.minute, other.boot, other.reason) == (loss.minute, loss.boot, loss.reason)
                && other.record == loss.record
        });
        if let Some(same) = same {
            same.count = same.count.saturating_add(loss.count);
            return;
        }
        self.losses.push_back(loss);
        if Self::LOSSES_MAX < self.losses.len()
            && let Some(oldest) = self.losses.pop_front()
        {
            self.losses_forgotten = self.losses_forgotten.saturating_add(oldest.count);
        }
    }

    /// What could not be seen on these machines in this span, in whole sentences.
    pub(crate) fn tell(
        &self,
        boots: &BTreeSet<BootId>,
        span: (TimestampNs, TimestampNs),
    ) -> Vec<String> {
        let (first, last) = (span.0.unix_ns() / NS_PER_MINUTE, span.1.unix_ns() / NS_PER_MINUTE);
        let mut sums: BTreeMap<(BootId, LossReason, &Text), u64> = BTreeMap::new();
        for loss in &self.losses {
            let is_near = if loss.reason == LossReason::AuditFile {
                first <= loss.minute && loss.minute <= last + Self::AUDIT_MINUTES
            } else {
                boots.contains(&loss.boot) && first <= loss.minute && loss.minute <= last
            };
            if is_near {
                let sum = sums.entry((loss.boot, loss.reason, &loss.record)).or_default();
                *sum = sum.saturating_add(loss.count);
            }
        }
        let mut told: Vec<String> = sums
            .iter()
            .map(|((boot, reason, record), count)| {
                let what =
                    if record.is_empty() { String::new() } else { format!(" of `{record}`") };
                let (node, why) = (self.hostname(*boot), why(*reason));
                if *reason == LossReason::AuditFile {
                    return format!(
                        "{count} files{what} cannot be trusted around that time: {why}."
                    );
                }
                format!("{count} events{what} were lost on {node} around that time: {why}.")
            })
            .collect();
        for node in self.nodes.iter().filter(|node| boots.contains(&node.boot)) {
            told.extend(node.blind_spots.iter().cloned());
        }
        if 0 < self.losses_forgotten {
            let count = self.losses_forgotten;
            told.push(format!("{count} events were lost earlier; their minutes are forgotten."));
        }
        told.extend(self.gaps.tell(span));
        told
    }

    fn hostname(&self, boot: BootId) -> String {
        match self.nodes.iter().find(|node| node.boot == boot) {
            Some(node) if !node.hostname.is_empty() => format!("node `{}`", node.hostname),
            _ => format!("the node of boot {:08x}", boot.0),
        }
    }
}

fn shown(text: &str) -> String {
    clew_event::text::escaped(text.as_bytes())
}

/// The boot that a kernel event's id carries in its high half (`EventId::from_kernel`).
fn boot_of(event: &Event) -> BootId {
    BootId(u32::try_from(event.id.0 >> 64 & u128::from(u32::MAX)).unwrap_or_default())
}

const fn why(reason: LossReason) -> &'static str {
    match reason {
        LossReason::PriorityRingFull => "the ring for execs and credentials was full",
        LossReason::BulkRingFull => "the ring for files and sockets was full",
        LossReason::Malformed => "their records could not be read",
        LossReason::QueueFull => "a queue was full",
        LossReason::MapFull => "a table in the kernel was full",
        LossReason::RateBound => "there were more of them than are told in a second",
        LossReason::AuditFile => "they were changed or removed after they were written",
    }
}

#[cfg(test)]
mod tests {
    use clew_event::kernel::{Lost, NodeStarted};
    use clew_event::{EventId, EventType};
    use expect_test::expect;

    use super::*;

    const BOOT: BootId = BootId(7);

    fn event(second: u64, kind: EventKind) -> Event {
        let time = TimestampNs::from_unix_ns(second * 1_000_000_000);
        let id = EventId::from_kernel(BOOT, 0, second);
        Event { id, time, arrived: time, event_type: EventType::Other, actor: None, kind }
    }

    fn lost(second: u64, count: u64) -> Event {
        let reason = LossReason::BulkRingFull;
        let lost = Lost { cpu: 0, reason, record: "file".into(), count };
        event(second, EventKind::Lost(lost))
    }

    fn tell(blindness: &Blindness, from: u64, to: u64) -> Vec<String> {
        let at = |second: u64| TimestampNs::from_unix_ns(second * 1_000_000_000);
        blindness.tell(&[BOOT].into(), (at(from), at(to)))
    }

    #[test]
    fn tells_what_was_lost_in_the_span_and_what_the_sensor_never_sees() {
        let mut blindness = Blindness::default();
        let node = NodeStarted {
            boot: BOOT,
            hostname: "n4".into(),
            blind_spots: vec!["Unlinks are not seen.".into()],
            ..NodeStarted::default()
        };
        blindness.observe(&event(0, EventKind::NodeStarted(Box::new(node))));
        blindness.observe(&lost(600, 30));
        blindness.observe(&lost(601, 7));
        blindness.observe(&lost(6000, 1));
        expect![[r#"
            [
                "37 events of `file` were lost on node `n4` around that time: the ring for files and sockets was full.",
                "Unlinks are not seen.",
            ]
        "#]]
        .assert_debug_eq(&tell(&blindness, 610, 620));
    }

    #[test]
    fn files_of_an_audit_log_that_were_changed_are_told_of_the_hour_before_whatever_the_machine() {
        let mut blindness = Blindness::default();
        let lost = Lost {
            cpu: u16::MAX,
            reason: LossReason::AuditFile,
            record: "cloudtrail".into(),
            count: 2,
        };
        let id = EventId(1 << 127);
        blindness.observe(&Event { id, ..event(6000, EventKind::Lost(lost)) });
        let told = "2 files of `cloudtrail` cannot be trusted around that time: they were changed \
                    or removed after they were written.";
        assert_eq!(tell(&blindness, 6000 - 75 * 60, 6000 - 75 * 60), [told]);
        assert_eq!(tell(&blindness, 6000, 6000), [told]);
        assert_eq!(tell(&blindness, 6060, 6060), Vec::<String>::new());
        assert_eq!(tell(&blindness, 0, 6000 - 76 * 60), Vec::<String>::new());
    }

    #[test]
    fn what_is_forgotten_is_counted_and_said() {
        let mut blindness = Blindness::default();
        for minute in 0..Blindness::LOSSES_MAX as u64 + 3 {
            blindness.observe(&lost(minute * 60, 2));
        }
        assert_eq!(blindness.losses.len(), Blindness::LOSSES_MAX);
        assert_eq!(
            tell(&blindness, 0, 1),
            ["6 events were lost earlier; their minutes are forgotten."]
        );
    }

    #[test]
    fn remembers_at_most_nodes_max_machines_with_spots_max_sentences() {
        let mut blindness = Blindness::default();
        for boot in 0..300 {
            let node = NodeStarted {
                boot: BootId(boot),
                blind_spots: vec![String::from("x"); 100],
                ..NodeStarted::default()
            };
            blindness.observe(&event(0, EventKind::NodeStarted(Box::new(node))));
        }
        assert_eq!(blindness.nodes.len(), Blindness::NODES_MAX);
        assert_eq!(blindness.nodes[0].blind_spots.len(), Blindness::SPOTS_MAX);
    }
}
