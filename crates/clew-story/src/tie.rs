//! Why two findings belong together, and how many bits that is worth.
//!
//! Causal ties (class C, 20 bits) come from the process tree, from a request that both are of, and
//! from a file that one process handled and another ran. Where it is only likely that both are of
//! one request, the tie has the bits of those odds (class S). What two findings merely share (class I) is weighed against how often
//! unrelated findings meet at that very value (see [`price`]).

use clew_event::finding::ProcessFacts;
use clew_event::story::EdgeClass;
use clew_event::{EventId, Finding, ProcessKey, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::trail::Handle;

/// Bits of a causal tie: chance would have to hit one in a million.
pub(crate) const CAUSAL_BITS: f64 = 20.0;

/// Bits against two findings that came from different addresses: of twenty steps of an attack
/// whose origin is known, perhaps one comes from elsewhere than the last, and of unrelated ones
/// all do.
pub(crate) const ELSEWHERE_BITS: f64 = 4.32;

/// Age up to which a process counts as one errand, so that its children belong together. A
/// longer-lived one (a job runner, a supervisor) does unrelated work in turn.
const ERRAND_SECONDS_MAX: u64 = 300;

/// What ties a finding to an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tie {
    pub(crate) to: Handle,
    pub(crate) class: EdgeClass,
    pub(crate) bits: f64,
    pub(crate) via: Via,
}

/// What the two have in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Via {
    /// A process: `here` generations above the later finding's, `there` above the earlier's.
    Process { ancestor: ProcessKey, here: u8, there: u8 },
    /// The request that both are of, with how likely that is in millionths.
    Request { exchange: EventId, millionths: u32 },
    /// An event that decided both, or that the later one names as a reason too.
    Event(EventId),
    /// An identity that the earlier one's event handed out and the later one acts with.
    Handed,
    /// A stolen credential, which both used from one address.
    Thief,
    /// A file that one finding's process handled and the other's ran.
    File { touched: Handle, ran: Handle },
    /// A value whose coincidences come `per_day`.
    Shared { value: Shared, per_day: f64 },
}

/// A value that findings may share by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Shared {
    /// The container both happened in; in a cluster, the pod.
    Container,
    /// The address both spoke with, from one container.
    Peer,
    /// The dropped program both ran, in one container.
    Program,
    /// The credential both called an API with.
    Credential,
    /// The address from which both called an API or asked an application.
    Caller,
}

impl Via {
    /// What the two have in common, in one word.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Process { .. } => "process",
            Self::Request { .. } => "request",
            Self::Event(_) => "event",
            Self::Handed => "identity",
            Self::Thief => "stolen_credential",
            Self::File { .. } => "file",
            Self::Shared { value, .. } => match value {
                Shared::Container => "container",
                Shared::Peer => "peer",
                Shared::Program => "program",
                Shared::Credential => "credential",
                Shared::Caller => "caller",
            },
        }
    }

    /// True for a value that names who acts.
    pub(crate) const fn is_actor(&self) -> bool {
        matches!(self, Self::Shared { value, .. } if value.is_actor())
    }

    /// True within one line of causes; false between two lines.
    pub(crate) const fn is_lineage(&self) -> bool {
        match self {
            Self::Process { .. }
            | Self::Request { .. }
            | Self::Event(_)
            | Self::Handed
            | Self::Thief => true,
            Self::File { .. } | Self::Shared { .. } => false,
        }
    }
}

impl Shared {
    /// True for what names who acts, and not where: whoever does the same again goes on, where
    /// the same place over and over is a job or a health check.
    pub(crate) const fn is_actor(self) -> bool {
        match self {
            Self::Credential | Self::Caller => true,
            Self::Container | Self::Peer | Self::Program => false,
        }
    }

    /// Seconds over which steps of one attack that share this follow one another: e-folding time.
    /// First guesses; the story benchmark will fit them.
    const fn span_seconds(self) -> f64 {
        match self {
            Self::Container => 600.0,
            Self::Peer | Self::Credential | Self::Caller => 1_800.0,
            Self::Program => 3_600.0,
        }
    }
}

/// Bits for two findings that share a value, `apart` seconds from one another, where unrelated
/// ones come with that rate λ: log2(share·exp(−Δt/τ)/τ ÷ λ + (1 − share)). Whoever acts may rest
/// for the night: a part of the share is spread over a day.
pub(crate) fn price(value: Shared, apart_seconds: f64, rate: f64) -> f64 {
    /// Share of attacks whose next step carries the value at all.
    const SHARE: f64 = 0.9;
    /// Share of them that go on only after a rest.
    const SHARE_RESTED: f64 = 0.1;
    const REST_SECONDS: f64 = 86_400.0;
    let after = |tau: f64| (-apart_seconds / tau).exp() / tau;
    let rested = if value.is_actor() { SHARE_RESTED } else { 0.0 };
    let density = (SHARE - rested) * after(value.span_seconds()) + rested * after(REST_SECONDS);
    let bits = (density / rate + (1.0 - SHARE)).log2();
    (bits * 100.0).round() / 100.0
}

/// How often unrelated findings meet at a value of this rate per second, per day.
pub(crate) fn per_day(rate: f64) -> f64 {
    (rate * 86_400.0 * 100.0).round() / 100.0
}

/// What is asked of one common ancestor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ancestor<'a> {
    pub(crate) facts: &'a ProcessFacts,
    /// Generations above the later finding's process.
    pub(crate) here: usize,
    /// Generations above the earlier finding's process.
    pub(crate) there: usize,
    /// True for the topmost process that is known, unless it was started beside the container's
    /// first.
    pub(crate) is_topmost: bool,
    /// True where it takes connections and so acts for many.
    pub(crate) is_server: bool,
    /// True where its very start was a finding.
    pub(crate) was_found_at_start: bool,
}

impl Ancestor<'_> {
    /// True where this common ancestor makes the two findings one causal line.
    ///
    /// - The same process did both. A server only if its own start was a finding (a back door
    ///   that listens), for it acts for many.
    /// - One is a descendant of the other: if the ancestor's own start was a finding, or it was
    ///   young then, or the two follow closely. A server found once is no cause of all it serves.
    /// - Both are descendants of one errand that itself did nothing of note.
    pub(crate) fn is_cause(&self, earlier: TimestampNs, later: TimestampNs) -> bool {
        let age_at = |time: TimestampNs| time.since(self.facts.started).as_secs();
        let is_short = |seconds: u64| seconds <= ERRAND_SECONDS_MAX;
        if self.is_server {
            let is_same = (self.here, self.there) == (0, 0);
            return is_same && self.was_found_at_start;
        }
        match (self.here, self.there) {
            (0, 0) => true,
            (0, _) | (_, 0) => {
                self.was_found_at_start
                    || is_short(age_at(earlier))
                    || is_short(later.since(earlier).as_secs())
            }
            _ => !self.is_topmost && is_short(age_at(later)),
        }
    }
}

/// Probability from which a request ties causally.
const CERTAIN: f64 = 0.9;

/// The class and bits of a tie by one request, where both findings are of it with this
/// probability; `None` where that is not more likely than not.
pub(crate) fn by_request(probability: f64) -> Option<(EdgeClass, f64)> {
    if CERTAIN <= probability {
        return Some((EdgeClass::C, CAUSAL_BITS));
    }
    let bits = (probability / (1.0 - probability)).log2();
    (0.5 < probability).then_some((EdgeClass::S, (bits * 100.0).round() / 100.0))
}

/// True where the finding is about the very start of its process's program.
pub(crate) fn is_about_start(finding: &Finding) -> bool {
    let executed_by = finding.subject.lineage.first().and_then(|process| process.executed_by);
    executed_by.is_some_and(|event| finding.events.contains(&event))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_NS: u64 = 60_000_000_000;

    #[test]
    fn a_quiet_container_ties_and_a_busy_one_prices_itself_out() {
        let check = |apart_seconds, weight, least: f64, most: f64| {
            let rate = crate::trail::rate_per_second(weight, false);
            let bits = price(Shared::Container, apart_seconds, rate);
            assert!(least <= bits && bits <= most, "{bits} bits");
        };
        check(0.0, 0.0, 7.0, 8.0);
        check(600.0, 0.0, 5.5, 6.5);
        check(0.0, 100.0, -2.0, 0.0);
        check(36_000.0, 0.0, -4.0, 0.0);
    }

    #[test]
    fn whoever_goes_on_may_rest_for_half_a_day_and_a_place_may_not() {
        let half_a_day = |value, weight, is_progress| {
            price(value, 43_200.0, crate::trail::rate_per_second(weight, is_progress))
        };
        assert!(2.0 < half_a_day(Shared::Caller, 0.0, true));
        assert!(half_a_day(Shared::Caller, 0.0, false) < 0.0);
        assert!(half_a_day(Shared::Caller, 1.0, true) < 0.0);
        assert!(half_a_day(Shared::Container, 0.0, true) < 0.0);
    }

    fn ancestor(here: usize, there: usize) -> Ancestor<'static> {
        static FACTS: std::sync::LazyLock<ProcessFacts> =
            std::sync::LazyLock::new(ProcessFacts::default);
        Ancestor {
            facts: &FACTS,
            here,
            there,
            is_topmost: false,
            is_server: false,
            was_found_at_start: false,
        }
    }

    fn at(minute: u64) -> TimestampNs {
        TimestampNs::from_unix_ns(minute * MINUTE_NS)
    }

    #[test]
    fn an_errand_ties_its_children_and_an_old_process_does_not() {
        assert!(ancestor(1, 1).is_cause(at(1), at(2)));
        assert!(!ancestor(1, 1).is_cause(at(100), at(101)));
        assert!(!Ancestor { is_topmost: true, ..ancestor(1, 1) }.is_cause(at(1), at(2)));
    }

    #[test]
    fn an_errand_lasts_errand_seconds_max() {
        let second = |second: u64| TimestampNs::from_unix_ns(second * 1_000_000_000);
        let (last, over) = (second(ERRAND_SECONDS_MAX), second(ERRAND_SECONDS_MAX + 1));
        assert!(ancestor(1, 1).is_cause(at(0), last));
        assert!(!ancestor(1, 1).is_cause(at(0), over));
    }

    #[test]
    fn a_request_ties_by_how_likely_both_are_of_it() {
        let check = |probability, class, least: f64, most: f64| {
            let (found, bits) = by_request(probability).unwrap();
            assert_eq!(found, class);
            assert!(least <= bits && bits <= most, "{bits} bits");
        };
        check(1.0, EdgeClass::C, 20.0, 20.0);
        check(0.9, EdgeClass::C, 20.0, 20.0);
        check(0.8, EdgeClass::S, 2.0, 2.0);
        assert_eq!(by_request(0.5), None);
        assert_eq!(by_request(0.02), None);
    }

    #[test]
    fn a_server_ties_nothing() {
        for (here, there) in [(0, 0), (1, 0), (1, 1)] {
            let server = Ancestor { is_server: true, ..ancestor(here, there) };
            assert!(!server.is_cause(at(1), at(2)));
        }
    }

    #[test]
    fn a_program_found_at_its_start_is_the_cause_of_what_descends_from_it() {
        assert!(!ancestor(1, 0).is_cause(at(100), at(200)));
        assert!(ancestor(1, 0).is_cause(at(100), at(101)));
        let found = Ancestor { was_found_at_start: true, ..ancestor(1, 0) };
        assert!(found.is_cause(at(100), at(200)));
    }
}
