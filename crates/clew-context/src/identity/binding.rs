//! A proven fact that ties two identities: the child acts with what it has from the parent.

use std::sync::Arc;

use clew_event::{EventId, TimestampNs};
use serde::{Deserialize, Serialize};

use super::key::Identity;

/// How a binding may be used to join what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// One observed event made it so: joins always.
    Causal,
    /// A unique value inside its validity: joins.
    Identity,
    /// Many hold it: joins only where coincidence is unlikely.
    Shared,
}

impl Class {
    /// Its name to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Causal => "causal",
            Self::Identity => "identity",
            Self::Shared => "shared",
        }
    }
}

/// What the child has of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Relation {
    /// The process got the credential from a metadata service or a token file.
    Fetched,
    /// A call of the parent made the child or handed it out.
    Minted,
    /// The parent calls a cluster under the child's name.
    OnBehalfOf,
    /// The parent asked that the process be started.
    StartedBy,
    /// The parent is the workload that the credential is for.
    HeldBy,
    /// The parent is whoever first signed in.
    SignedIn,
    /// The credential acts as the parent.
    ActsAs,
    /// The session is one of this role.
    SessionOf,
    /// The process or container runs in the parent.
    RunsIn,
    /// The parent is the same pod by its name, which a later pod may have again.
    Named,
    /// The parent acted with the child's rights, and said who it was.
    ImpersonatedBy,
}

impl Relation {
    /// Its name to people, read from the child to the parent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetched => "fetched by",
            Self::Minted => "minted by",
            Self::OnBehalfOf => "on behalf of",
            Self::StartedBy => "started by",
            Self::HeldBy => "held by",
            Self::SignedIn => "signed in as",
            Self::ActsAs => "acts as",
            Self::SessionOf => "session of",
            Self::RunsIn => "runs in",
            Self::Named => "named",
            Self::ImpersonatedBy => "impersonated by",
        }
    }

    /// False for what says more of the child but not where its rights come from.
    pub(super) const fn leads_to_root(self) -> bool {
        !matches!(self, Self::Named | Self::ImpersonatedBy)
    }
}

/// What one record tells of a binding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub time: TimestampNs,
    pub event: EventId,
    /// Seconds since the epoch; 0 where no end is known.
    pub until_s: u32,
    pub count: u16,
    pub relation: Relation,
    pub class: Class,
}

impl Told {
    pub(super) fn until(self) -> Option<TimestampNs> {
        end(self.until_s)
    }
}

fn end(until_s: u32) -> Option<TimestampNs> {
    let ns = u64::from(until_s) * 1_000_000_000;
    (until_s != 0).then_some(TimestampNs::from_unix_ns(ns))
}

/// The parent of a child with its evidence; kept with the child. 64 bytes (held by a test).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub first: EventId,
    pub last: EventId,
    pub parent: Arc<Identity>,
    pub first_time: TimestampNs,
    pub last_time: TimestampNs,
    /// Seconds since the epoch; 0 where no end is known.
    pub until_s: u32,
    /// How many records told of it; stays at its maximum.
    pub count: u16,
    pub relation: Relation,
    pub class: Class,
}

impl Binding {
    pub(super) fn new(parent: Arc<Identity>, told: Told) -> Self {
        let Told { time, event, until_s, count, relation, class } = told;
        let (first, last) = (event, event);
        Self {
            first,
            last,
            parent,
            first_time: time,
            last_time: time,
            until_s,
            count,
            relation,
            class,
        }
    }

    /// Takes in one more record that tells the same. Whatever the order, the result is the same.
    pub(super) fn merge(&mut self, told: Told) {
        if (told.time, told.event) < (self.first_time, self.first) {
            (self.first_time, self.first) = (told.time, told.event);
        }
        if (self.last_time, self.last) < (told.time, told.event) {
            (self.last_time, self.last) = (told.time, told.event);
        }
        self.until_s = self.until_s.max(told.until_s);
        self.count = self.count.saturating_add(told.count);
        self.class = self.class.min(told.class);
    }

    /// What the entries of a child are sorted by; never changes.
    pub(super) fn place(&self) -> (Relation, &Identity) {
        (self.relation, &self.parent)
    }

    /// When it ends, where that is known.
    pub(super) fn until(&self) -> Option<TimestampNs> {
        end(self.until_s)
    }

    /// Whether the child has it of the parent at `time`. What was proven by use holds over the
    /// whole life of the child, also before the first use that was seen: records come late.
    pub(super) fn is_valid_at(&self, time: TimestampNs) -> bool {
        let is_made = !matches!(self.relation, Relation::Minted | Relation::Fetched)
            || self.first_time <= time.after(super::CLOCK_SKEW);
        is_made && self.until().is_none_or(|until| time <= until.after(super::GRACE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_takes_64_bytes() {
        assert_eq!(size_of::<Binding>(), 64);
    }
}
