//! What really happened: which attack each event is of, and because of what.

use std::collections::BTreeMap;

use clew_event::{EventId, TimestampNs};

/// One attack of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttackId(pub u32);

/// What an event is of, where it is of an attack. Everything else is benign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The attack.
    pub attack: AttackId,
    /// Place of the step in [`Attack::steps`].
    pub step: usize,
    /// The event without which this one would not be; `None` for those of the first step.
    pub cause: Option<EventId>,
}

/// How an attack is made hard to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// Within half an hour, all seen.
    Plain,
    /// Over three days.
    Slow,
    /// Within 40 seconds.
    Fast,
    /// Five attackers on one target within the hour.
    Interleaved,
    /// One layer does not tell of it.
    Blind,
    /// Audit records come three times as late, and twice.
    Late,
    /// It starts in the first minute that anything is watched.
    Poisoned,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::Slow,
        Self::Fast,
        Self::Interleaved,
        Self::Blind,
        Self::Late,
        Self::Poisoned,
    ];

    /// As tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Slow => "slow",
            Self::Fast => "fast",
            Self::Interleaved => "interleaved",
            Self::Blind => "blind",
            Self::Late => "late",
            Self::Poisoned => "poisoned",
        }
    }
}

/// One step of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub name: &'static str,
    /// The step it needed; `None` for the first.
    pub parent: Option<usize>,
}

/// One attack as it was made.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Its number.
    pub id: AttackId,
    /// The tenant it was made on.
    pub tenant: u32,
    /// Name of its template.
    pub template: &'static str,
    /// How it was made hard.
    pub variant: Variant,
    /// Its steps, parents before children.
    pub steps: Vec<Step>,
    /// When it began.
    pub began: TimestampNs,
    /// When its last event reached Clew.
    pub last_arrived: TimestampNs,
}

impl Attack {
    /// Whether `earlier` led to `later`, or is the same step.
    #[must_use]
    pub fn leads_to(&self, earlier: usize, later: usize) -> bool {
        let mut at = Some(later);
        while let Some(step) = at {
            if step == earlier {
                return true;
            }
            at = self.steps.get(step).and_then(|step| step.parent).filter(|parent| *parent < step);
        }
        false
    }
}

/// The truth about every event of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Truths {
    /// Events of attacks.
    pub events: BTreeMap<EventId, Truth>,
    /// The attacks.
    pub attacks: BTreeMap<AttackId, Attack>,
}

impl Truths {
    /// What an event is of.
    #[must_use]
    pub fn of(&self, event: EventId) -> Option<Truth> {
        self.events.get(&event).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_led_to_by_itself_and_by_what_it_needed() {
        let step = |parent| Step { name: "step", parent };
        let attack = Attack {
            id: AttackId(0),
            tenant: 0,
            template: "test",
            variant: Variant::Plain,
            steps: vec![step(None), step(Some(0)), step(Some(0)), step(Some(2))],
            began: TimestampNs::default(),
            last_arrived: TimestampNs::default(),
        };
        let leads = |earlier, later| attack.leads_to(earlier, later);
        assert!(leads(0, 3) && leads(2, 3) && leads(3, 3));
        assert!(!leads(1, 3) && !leads(3, 0));
    }
}
