//! How likely a tree of findings is an attack, in bits, and from where it is told.
//!
//! The sum has three parts:
//! - *findings*: each rule once per story, with the bits of its first finding. A rule that fired
//!   n times before in that container (decayed, outside the story) is worth log2(1 + n) bits
//!   less. Repetitions inside one story are one piece of evidence, for one script repeats itself.
//!   What a habit of the tenant explains (see [`crate::habit`]) counts once for all of it, and
//!   its ties and their order say nothing: habits have parts, and an order.
//! - *ties*: each at most [`TIE_BITS_MAX`]. A tie proves one cause, and not yet that the cause is
//!   an attack: honest scripts have children too. It says that two surprises are one, so it adds no
//!   more than the rule of the finding that it ties is worth, and once for each rule.
//! - *order*: how much likelier the tactics follow one another so in attacks, see [`order`].
//!
//! The numbers are first guesses; the story benchmark will fit them. A story is told where the
//! sum reaches log2(looks / α): `looks` is the number of different (container, rule) pairs that
//! gave a seed in the last day, at least [`LOOKS_MIN`], and α the false stories allowed per day.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{Finding, FindingId, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::attack::{Tactic, technique};
use crate::forest::Forest;
use crate::habit::{Habits, Pattern};
use crate::key::Key;
use crate::order;
use crate::settings::Settings;
use crate::tie::Tie;
use crate::trail::{Handle, Moment, decay};

/// Bits that one tie adds to a story's likelihood at most.
pub(crate) const TIE_BITS_MAX: f64 = 4.0;
/// Looks per day that are assumed at least: a day without any other alert proves little.
const LOOKS_MIN: usize = 16;
const NS_PER_DAY: u64 = 86_400_000_000_000;

/// What speaks for an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Likelihood {
    pub(crate) finding_bits: f64,
    pub(crate) tie_bits: f64,
    pub(crate) order_bits: f64,
}

impl Likelihood {
    /// All of it, to a hundredth of a bit.
    pub(crate) fn bits(&self) -> f64 {
        let sum = self.finding_bits + self.tie_bits + self.order_bits;
        (sum * 100.0).round() / 100.0
    }
}

/// Weighs what speaks for an attack in the tree of these `members`; both in any order.
pub(crate) fn weigh(
    forest: &Forest,
    habits: &Habits,
    members: &[Handle],
    evidence: &BTreeSet<Handle>,
) -> Likelihood {
    let mut first_of: BTreeMap<Pattern, (Moment, Handle)> = BTreeMap::new();
    for &member in evidence {
        let Some(node) = forest.node(member) else { continue };
        let first = first_of.entry(Pattern::of(&node.finding)).or_insert((node.at(), member));
        *first = (*first).min((node.at(), member));
    }
    let story: BTreeSet<Handle> = members.iter().copied().collect();
    let costs = first_of.into_iter().map(|(pattern, ((time, _), first))| {
        let chance_bits = surprisal(forest, first, &story);
        // Of its own bits: what came often today is not by chance all the likelier.
        let own_bits = forest.node(first).map_or(chance_bits, |node| node.finding.bits);
        let habit_bits = habits.bits(&pattern, time, own_bits);
        (pattern, Cost { chance_bits, habit_bits })
    });
    let costs: BTreeMap<Pattern, Cost> = costs.collect();
    let (finding_bits, by_habit) = explain(&costs);
    let mut tactics: Vec<(Moment, Tactic)> = Vec::new();
    let mut ties: Vec<(Moment, Deed, f64)> = Vec::new();
    for &member in evidence {
        let Some(node) = forest.node(member) else { continue };
        let cost = costs.get(&Pattern::of(&node.finding));
        if cost.is_some_and(|cost| cost.habit_bits <= by_habit) {
            continue;
        }
        if is_deed(&node.finding) {
            let bits = tie_bits_of(forest, member, evidence);
            ties.push((node.at(), Deed::of(&node.finding), bits));
        }
        let first = node.finding.techniques.iter().find_map(|id| technique(id));
        tactics.extend(first.map(|found| (node.at(), found.tactic)));
    }
    // What no habit explains has one tie less than deeds: the first is tied to a habit, if at all.
    ties.sort_unstable_by_key(|(at, ..)| *at);
    let mut by_deed: BTreeMap<Deed, f64> = BTreeMap::new();
    for (_, deed, bits) in ties.into_iter().skip(1) {
        let most = by_deed.entry(deed).or_default();
        *most = bits.max(*most);
    }
    let tie_bits = by_deed.values().sum();
    tactics.sort_unstable();
    let tactics: Vec<Tactic> = tactics.into_iter().map(|(_, tactic)| tactic).collect();
    Likelihood { finding_bits, tie_bits, order_bits: order::bits(&tactics) }
}

/// What a finding costs those who take it for no attack.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// By chance, each anew.
    chance_bits: f64,
    /// As part of a habit.
    habit_bits: f64,
}

/// The bits of the likeliest way to explain findings without an attack, and up to which cost a
/// habit explains them there.
///
/// Findings of one story come together because what they are part of does: a build that runs its
/// tests has also fetched its packages. So a habit that explains several costs what the least
/// usual of them costs, once; whatever it does not explain is chance, each rule for itself.
fn explain(costs: &BTreeMap<Pattern, Cost>) -> (f64, f64) {
    let by_habits = costs.values().map(|cost| cost.habit_bits).filter(|bits| bits.is_finite());
    let by_chance = |above: f64| -> f64 {
        let mut of_rule: BTreeMap<&str, f64> = BTreeMap::new();
        for (pattern, cost) in costs.iter().filter(|(_, cost)| above < cost.habit_bits) {
            let bits = of_rule.entry(pattern.rule()).or_default();
            *bits = cost.chance_bits.max(*bits);
        }
        of_rule.values().sum()
    };
    let nothing = f64::NEG_INFINITY;
    let ways = by_habits.map(|bits| (bits + by_chance(bits), bits));
    ways.fold((by_chance(nothing), nothing), |best, way| if way.0 < best.0 { way } else { best })
}

/// What somebody did, so that doing it again adds nothing: a rule that was broken, or, of calls that
/// made an identity, each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deed<'a>(&'a str, Option<FindingId>);

impl<'a> Deed<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self(&finding.rule, is_link(finding).then_some(finding.id))
    }
}

/// True for what is told because it ties others together, and surprises nobody itself.
fn is_link(finding: &Finding) -> bool {
    finding.bits <= 0.0
}

/// False for a link that is no deed of its own: the process that a call started is the call over
/// again, and what the metadata service hands out it hands to whoever asks.
fn is_deed(finding: &Finding) -> bool {
    !is_link(finding) || finding.subject.call.is_some()
}

/// Bits of what ties a finding to others that speak for an attack, by way of some that do not.
fn tie_bits_of(forest: &Forest, member: Handle, evidence: &BTreeSet<Handle>) -> f64 {
    let tie_of = |member| forest.node(member).and_then(|node| node.parent.as_ref());
    let mut above = std::iter::successors(tie_of(member), |tie| tie_of(tie.to));
    let is_deed = |handle| forest.node(handle).is_some_and(|node| is_deed(&node.finding));
    let leads_to_evidence = above.any(|tie| evidence.contains(&tie.to) && is_deed(tie.to));
    let own = forest.node(member).map(|node| &node.finding);
    let most = own.filter(|own| !is_link(own)).map_or(TIE_BITS_MAX, |own| own.bits);
    tie_of(member).filter(|_| leads_to_evidence).map_or(0.0, scored).min(most)
}

fn scored(tie: &Tie) -> f64 {
    tie.bits.clamp(0.0, TIE_BITS_MAX)
}

/// Bits of a finding, less what its rule's earlier findings in the same place and outside its
/// `story` explain.
fn surprisal(forest: &Forest, handle: Handle, story: &BTreeSet<Handle>) -> f64 {
    let Some(node) = forest.node(handle) else { return 0.0 };
    let Some(trail) = forest.trail(Key::rule(&node.finding)) else { return node.finding.bits };
    let mut lines = BTreeSet::new();
    let mut before = trail.older_weight(node.finding.time);
    let others = trail.before(node.at()).filter(|visit| !story.contains(&visit.node));
    for visit in others {
        if lines.insert(forest.line_root(visit.node)) {
            before += decay(visit.at.0, node.finding.time);
        }
    }
    (node.finding.bits - before.ln_1p() / std::f64::consts::LN_2).max(0.0)
}

/// Counts how often a story was looked for: one look for each rule in each container and day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Looks {
    last: BTreeMap<Key, TimestampNs>,
}

impl Looks {
    /// Looks that are told apart; more do not raise the threshold further, so that noise cannot
    /// hide an attack.
    pub(crate) const LOOKS_MAX: usize = 4_096;

    /// Forgets what is no look of the last day.
    pub(crate) fn expire(&mut self, now: TimestampNs) {
        self.last.retain(|_, last| is_within_a_day(*last, now));
    }

    /// Takes note of a seed.
    pub(crate) fn insert(&mut self, rule: Key, time: TimestampNs) {
        if self.last.len() < Self::LOOKS_MAX || self.last.contains_key(&rule) {
            let last = self.last.entry(rule).or_default();
            *last = time.max(*last);
        }
    }

    /// Bits below which no story is told, however few looks there were.
    pub(crate) fn bits_needed_min(settings: &Settings) -> f64 {
        Self::default().bits_needed(TimestampNs::default(), settings)
    }

    /// Bits from which a story is told whose last finding is of that time.
    pub(crate) fn bits_needed(&self, time: TimestampNs, settings: &Settings) -> f64 {
        let looks = self.last.values().filter(|last| is_within_a_day(**last, time)).count();
        let looks = u32::try_from(looks.max(LOOKS_MIN)).unwrap_or(u32::MAX);
        let bits = (f64::from(looks) / settings.false_stories_per_day).log2();
        (bits * 100.0).round() / 100.0
    }
}

fn is_within_a_day(one: TimestampNs, other: TimestampNs) -> bool {
    one.unix_ns().abs_diff(other.unix_ns()) < NS_PER_DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, at_ms};

    #[test]
    fn a_rule_that_fires_daily_surprises_less() {
        let mut forest = Forest::default();
        let bits = |forest: &Forest, handle| {
            weigh(forest, &Habits::default(), &[handle], &BTreeSet::from([handle])).bits()
        };
        let first = forest.insert(Sample::new("a", 1).at(0).finding());
        assert!((bits(&forest, first) - 8.0).abs() < 1e-9);
        let mut last = first;
        for pid in 2..=4 {
            last = forest.insert(Sample::new("a", pid).at(pid as u64).finding());
        }
        assert!((bits(&forest, last) - 6.0).abs() < 0.01);
    }

    #[test]
    fn a_rule_counts_once_per_story_and_the_order_of_tactics_a_little() {
        let mut forest = Forest::default();
        let mut add = |rule, pid, technique: &str| {
            let sample = Sample::new(rule, pid).techniques(&[technique]);
            forest.insert(sample.at(pid as u64).container(&format!("c{pid}")).finding())
        };
        let story = [
            add("shell", 1, "T1059.004"),
            add("recon", 2, "T1082"),
            add("recon", 3, "T1082"),
            add("shadow", 4, "T1003.008"),
        ];
        let likelihood = weigh(&forest, &Habits::default(), &story, &BTreeSet::from(story));
        assert!((likelihood.finding_bits - 24.0).abs() < 1e-9);
        assert!((likelihood.order_bits - 1.8).abs() < 1e-9);
    }

    #[test]
    fn a_habit_costs_once_what_its_least_usual_part_costs_and_what_is_new_beside_it_all_it_has() {
        const DAY_MS: u64 = 86_400_000;
        let on = |rule: &str, pid, day: u64| Sample::new(rule, pid).at(day * DAY_MS).finding();
        let mut habits = Habits::default();
        for (rule, days) in [("fetch", 0..5), ("install", 0..5), ("test", 2..5)] {
            days.for_each(|day| habits.note(&on(rule, 1, day)));
        }
        let mut forest = Forest::default();
        let mut story: Vec<Handle> =
            ["fetch", "install", "test"].map(|rule| forest.insert(on(rule, 2, 5))).to_vec();
        let all = |story: &[Handle]| story.iter().copied().collect();
        let daily = weigh(&forest, &habits, &story, &all(&story));
        let unlearned = weigh(&forest, &Habits::default(), &story, &all(&story));
        assert!((unlearned.finding_bits - 24.0).abs() < 1e-9);
        assert!(0.0 < daily.finding_bits && daily.finding_bits < 1.5, "{daily:?}");
        story.push(forest.insert(on("miner", 3, 5)));
        let attack = weigh(&forest, &habits, &story, &all(&story));
        assert!((attack.finding_bits - daily.finding_bits - 8.0).abs() < 1e-9, "{attack:?}");
    }

    #[test]
    fn a_tie_adds_a_bounded_part() {
        let tie = |bits| Tie {
            to: 0,
            class: clew_event::story::EdgeClass::C,
            bits,
            via: crate::tie::Via::File { touched: 0, ran: 0 },
        };
        assert!((scored(&tie(20.0)) - TIE_BITS_MAX).abs() < 1e-9);
        assert!(scored(&tie(-3.0)).abs() < 1e-9);
    }

    /// Findings each tied causally to the one before.
    fn chain(findings: Vec<Finding>) -> Likelihood {
        let mut forest = Forest::default();
        let mut story: Vec<Handle> = Vec::new();
        for finding in findings {
            let handle = forest.insert(finding);
            let class = clew_event::story::EdgeClass::C;
            let tie = |&to| Tie { to, class, bits: 20.0, via: crate::tie::Via::Handed };
            forest.link(handle, story.last().map(tie));
            story.push(handle);
        }
        let all = story.iter().copied().collect();
        weigh(&forest, &Habits::default(), &story, &all)
    }

    #[test]
    fn a_tie_counts_once_for_each_rule_and_no_more_than_its_finding_is_worth() {
        use clew_event::Priority::{Informational, Warning};
        let found = |rule: &str, priority, pid| {
            Sample::new(rule, pid).priority(priority).at(pid as u64).finding()
        };
        let check = |findings, bits: f64| {
            let likelihood = chain(findings);
            assert!((likelihood.tie_bits - bits).abs() < 1e-9, "{likelihood:?}");
        };
        check(vec![found("a", Warning, 1)], 0.0);
        check(vec![found("a", Warning, 1), found("b", Warning, 2)], 4.0);
        check(vec![found("a", Warning, 1), found("b", Informational, 2)], 3.0);
        let again = (3..9).map(|pid| found("b", Warning, pid));
        check([found("a", Warning, 1)].into_iter().chain(again).collect(), 4.0);
    }

    #[test]
    fn a_link_adds_a_tie_where_it_is_a_deed_of_its_own() {
        let check = |links: Vec<Finding>, bits: f64| {
            let mut findings = vec![Sample::new("a", 1).at(0).finding()];
            findings.extend(links);
            findings.push(Sample::new("b", 9).at(90).finding());
            let likelihood = chain(findings);
            assert!((likelihood.tie_bits - bits).abs() < 1e-9, "{likelihood:?}");
        };
        let started = Sample::new("started", 2).at(10).link().finding();
        let made = |ms| Sample::new("made", 1).call("AssumeRole", "ASIA1", "10.0.0.9").at(ms);
        check(vec![], 4.0);
        check(vec![started], 4.0);
        check(vec![made(10).link().finding()], 8.0);
        check(vec![made(10).link().finding(), made(20).link().finding()], 12.0);
    }

    #[test]
    fn noise_raises_the_threshold_only_up_to_looks_max() {
        let settings = Settings::default();
        let mut looks = Looks::default();
        let needed = |looks: &Looks| looks.bits_needed(at_ms(0), &settings);
        assert!((needed(&looks) - 10.64).abs() < 1e-9);
        for rule in 0..Looks::LOOKS_MAX + 100 {
            looks.insert(Key::rule(&Sample::new(&format!("{rule}"), 1).finding()), at_ms(0));
        }
        assert_eq!(looks.last.len(), Looks::LOOKS_MAX);
        assert!((needed(&looks) - 18.64).abs() < 1e-9);
        looks.expire(at_ms(2 * 86_400_000));
        assert!(looks.last.is_empty() && (needed(&looks) - 10.64).abs() < 1e-9);
    }
}
