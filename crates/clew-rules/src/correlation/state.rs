//! What is kept of the matches that correlations count.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use clew_event::EventId;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize, Serializer};

/// Most groups that are kept of one rule; beyond it the one that was quiet longest is forgotten.
pub const GROUPS_MAX: usize = 10_000;

/// Most matches that are kept of one group; beyond it the oldest is forgotten.
pub const MATCHES_MAX: usize = 10_000;

/// Most matches that are kept of all groups of one rule; beyond it the group that was quiet longest
/// is forgotten.
pub const RULE_MATCHES_MAX: usize = 200_000;

/// Most events that a match of a correlation names.
pub const EVENTS_MAX: usize = 100;

/// Longest value of a group, and longest value that is counted, in bytes; the rest is cut off.
pub(crate) const VALUE_BYTES_MAX: usize = 512;

/// The state of all correlation rules, by their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlations {
    #[serde(serialize_with = "sorted")]
    rules: FxHashMap<String, Groups>,
    /// Groups that were forgotten because there were too many.
    groups_evicted: u64,
    /// Matches that were forgotten because a group had too many.
    matches_evicted: u64,
    /// Matches that came later than one span, and were not counted.
    late: u64,
}

/// The groups of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Groups {
    /// By the texts of their values, each ended by its length, so that no two are mixed up.
    #[serde(serialize_with = "sorted")]
    by_key: FxHashMap<String, Group>,
    /// By a time that is at most that of their latest match: it is brought up to date when the
    /// group is about to be forgotten, not at each match.
    by_time: BTreeSet<(u64, String)>,
    /// Matches in all of them.
    match_count: usize,
}

/// What is kept of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// In ascending order of time and event. Some stay longer than they count.
    pub matches: Vec<Match>,
    /// How many of them have each value, or without values are of each rule of the correlation.
    kinds: BTreeMap<String, u32>,
    latest_ns: u64,
    /// It is silent before this.
    pub silent_until_ns: u64,
}

/// One match of a rule that a correlation is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Match {
    pub time_ns: u64,
    pub event: EventId,
    /// Which of the rules of the correlation.
    pub position: u32,
    /// The measured value, where one is measured.
    pub value: Option<String>,
    /// Where it is itself a correlation's: the events behind it beside `event`.
    pub behind: Vec<EventId>,
}

impl Correlations {
    /// Groups that were forgotten because a rule had more than [`GROUPS_MAX`].
    #[must_use]
    pub const fn groups_evicted(&self) -> u64 {
        self.groups_evicted
    }

    /// Matches that were forgotten because a group had more than [`MATCHES_MAX`].
    #[must_use]
    pub const fn matches_evicted(&self) -> u64 {
        self.matches_evicted
    }

    /// Matches that came later than one span, and were not counted.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Groups that are kept of a rule.
    #[must_use]
    pub fn group_count(&self, rule: &str) -> usize {
        self.rules.get(rule).map_or(0, |groups| groups.by_key.len())
    }

    /// Puts a match in its place and forgets what is out of the span. The group, and where the
    /// match stands in it; `None` where it is late or there already.
    pub(crate) fn add(
        &mut self,
        rule: &str,
        key: &str,
        span_ns: u64,
        new: Match,
    ) -> Option<(&mut Group, usize)> {
        if !self.rules.contains_key(rule) {
            self.rules.insert(rule.to_owned(), Groups::default());
        }
        let groups = self.rules.get_mut(rule)?;
        let is_full = RULE_MATCHES_MAX <= groups.match_count;
        if is_full || !groups.by_key.contains_key(key) {
            groups.make_room(key, &mut self.groups_evicted);
            if !groups.by_key.contains_key(key) {
                groups.by_key.insert(key.to_owned(), Group::default());
                groups.by_time.insert((new.time_ns, key.to_owned()));
            }
        }
        let group = groups.by_key.get_mut(key)?;
        let before_ns = group.latest_ns;
        if new.time_ns < before_ns.saturating_sub(span_ns) {
            self.late += 1;
            return None;
        }
        let at = group.place(&new)?;
        group.latest_ns = before_ns.max(new.time_ns);
        let kind = new.kind();
        match group.kinds.get_mut(kind.as_ref()) {
            Some(number) => *number += 1,
            None => drop(group.kinds.insert(kind.into_owned(), 1)),
        }
        group.matches.insert(at, new);
        // A late match may still need what lies one span before it.
        let needed_from = group.latest_ns.saturating_sub(span_ns.saturating_mul(2));
        let gone = group.forget(needed_from, &mut self.matches_evicted);
        groups.match_count = (groups.match_count + 1).saturating_sub(gone);
        at.checked_sub(gone).map(|at| (group, at))
    }
}

impl Group {
    /// Where a match belongs; `None` where it is there already. Nearly all belong behind the last,
    /// and a search would wait for memory at each step: of a busy rule there are megabytes.
    fn place(&self, new: &Match) -> Option<usize> {
        let order = |it: &Match| (it.time_ns, it.event, it.position);
        match self.matches.last() {
            Some(last) if order(new) <= order(last) => {
                self.matches.binary_search_by_key(&order(new), order).err()
            }
            Some(_) | None => Some(self.matches.len()),
        }
    }

    /// How many different values, or rules, its matches have; no span of it has more.
    pub(crate) fn kind_count(&self) -> usize {
        self.kinds.len()
    }

    /// Forgets matches that lie before `needed_from` and those beyond the bound; how many went.
    ///
    /// The others have to move up, so it is done once half of them are old, or there are too many.
    fn forget(&mut self, needed_from: u64, evicted: &mut u64) -> usize {
        let is_old = |it: &Match| it.time_ns < needed_from;
        let count = self.matches.len();
        let is_half_old = self.matches.get(count.saturating_sub(1) / 2).is_some_and(is_old);
        if !is_half_old && count <= MATCHES_MAX {
            return 0;
        }
        let old = self.matches.partition_point(is_old);
        let gone = if MATCHES_MAX < count - old {
            let gone = count - MATCHES_MAX / 8 * 7;
            *evicted += (gone - old) as u64;
            gone
        } else if is_half_old {
            old
        } else {
            0
        };
        for it in self.matches.drain(..gone) {
            let kind = it.kind();
            match self.kinds.get_mut(kind.as_ref()) {
                Some(number) if 1 < *number => *number -= 1,
                _ => drop(self.kinds.remove(kind.as_ref())),
            }
        }
        gone
    }
}

impl Match {
    /// What correlations count apart.
    fn kind(&self) -> Cow<'_, str> {
        const POSITIONS: [&str; 4] = ["0", "1", "2", "3"];
        match &self.value {
            Some(value) => value.as_str().into(),
            None => match usize::try_from(self.position).ok().and_then(|it| POSITIONS.get(it)) {
                Some(position) => (*position).into(),
                None => self.position.to_string().into(),
            },
        }
    }
}

impl Groups {
    fn make_room(&mut self, key: &str, evicted: &mut u64) {
        let has_room = self.by_key.len() < GROUPS_MAX || self.by_key.contains_key(key);
        if has_room && self.match_count < RULE_MATCHES_MAX {
            return;
        }
        while let Some(quiet) = self.by_time.iter().find(|(_, quiet)| quiet != key).cloned() {
            self.by_time.remove(&quiet);
            let (time_ns, quiet) = quiet;
            let latest_ns = self.by_key.get(&quiet).map_or(0, |group| group.latest_ns);
            if time_ns < latest_ns {
                self.by_time.insert((latest_ns, quiet));
                continue;
            }
            let group = self.by_key.remove(&quiet);
            self.match_count -= group.map_or(0, |group| group.matches.len());
            *evicted += 1;
            return;
        }
    }
}

/// A snapshot of the same state is the same bytes.
fn sorted<V: Serialize, S: Serializer>(
    map: &FxHashMap<String, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64, event: u128) -> Match {
        let (time_ns, event) = (second * 1_000_000_000, EventId(event));
        Match { time_ns, event, position: 0, value: None, behind: Vec::new() }
    }

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn the_quietest_group_goes_when_there_are_too_many() {
        let mut state = Correlations::default();
        for number in 0..=GROUPS_MAX {
            let event = number as u128;
            state.add("r", &format!("{number:06}"), MINUTE, at(number as u64, event));
        }
        assert_eq!((state.group_count("r"), state.groups_evicted()), (GROUPS_MAX, 1));
        let found = state.add("r", "000001", MINUTE, at(GROUPS_MAX as u64, 7)).unwrap();
        assert_eq!(found.0.matches.len(), 1, "old matches are forgotten, the group is not");
    }

    #[test]
    fn the_oldest_match_goes_when_a_group_has_too_many() {
        let mut state = Correlations::default();
        for event in 0..MATCHES_MAX as u128 + 5 {
            state.add("r", "k", MINUTE, at(1, event));
        }
        let evicted = MATCHES_MAX / 8 + 1;
        assert_eq!(state.matches_evicted(), evicted as u64);
        let (group, place) = state.add("r", "k", MINUTE, at(2, 0)).unwrap();
        let kept = MATCHES_MAX + 6 - evicted;
        assert_eq!((group.matches.len(), place, group.kind_count()), (kept, kept - 1, 1));
    }

    #[test]
    fn the_quietest_group_goes_when_a_rule_has_too_many_matches() {
        let mut state = Correlations::default();
        let groups = 2 * RULE_MATCHES_MAX / MATCHES_MAX;
        for event in 0..RULE_MATCHES_MAX as u128 {
            let key = (event as usize % groups).to_string();
            state.add("r", &key, MINUTE, at(1, event));
        }
        assert_eq!((state.group_count("r"), state.groups_evicted()), (groups, 0));
        state.add("r", "1", MINUTE, at(2, 1));
        assert_eq!((state.group_count("r"), state.groups_evicted()), (groups - 1, 1));
        assert_eq!(state.matches_evicted(), 0);
    }

    #[test]
    fn values_are_forgotten_with_their_matches() {
        let mut state = Correlations::default();
        let mut kinds = |second, event, value: &str| {
            let new = Match { value: Some(value.into()), ..at(second, event) };
            state.add("r", "k", MINUTE, new).unwrap().0.kind_count()
        };
        assert_eq!([kinds(0, 1, "a"), kinds(1, 2, "b"), kinds(2, 3, "a")], [1, 2, 2]);
        assert_eq!(kinds(1000, 4, "c"), 1);
    }

    #[test]
    fn a_match_counts_once_and_a_late_one_where_it_stands() {
        let mut state = Correlations::default();
        assert!(state.add("r", "k", MINUTE, at(100, 1)).is_some());
        assert!(state.add("r", "k", MINUTE, at(100, 1)).is_none());
        let (group, place) = state.add("r", "k", MINUTE, at(50, 2)).unwrap();
        assert_eq!((group.matches.len(), place), (2, 0));
        assert!(state.add("r", "k", MINUTE, at(39, 3)).is_none());
        assert_eq!(state.late(), 1);
    }
}
