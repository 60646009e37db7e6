//! All lines, how they meet, and which is let go when room is needed.
//!
//! The first finding of a line is its root. A root may be tied to an earlier line: by a file that
//! one handled and the other ran (causal), or, where both lines have a seed, by a value that both
//! carry and that is rare enough. The tie always leads to an earlier moment than the root, so
//! no circle can arise, whatever arrives late.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::story::EdgeClass;
use clew_event::{Finding, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::forest::Forest;
use crate::known::Known;
use crate::line::{Ages, Line, Rank};
use crate::settings::Settings;
use crate::tie::{CAUSAL_BITS, ELSEWHERE_BITS, Shared, Tie, Via, per_day, price};
use crate::trail::{Handle, Moment, Trail, Visit, decay, rate_per_second};

/// All lines over their forest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lines {
    pub(crate) forest: Forest,
    lines: BTreeMap<Handle, Line>,
    ages: Ages,
}

/// Lines, and what each weighs.
type Weights = Vec<(Handle, f64)>;

/// What a finding did to the lines.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Tops of the trees that changed.
    pub(crate) tops: BTreeSet<Handle>,
    /// True where findings that were already there moved.
    pub(crate) has_moved: bool,
}

/// What ties are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgment<'a> {
    pub(crate) known: &'a Known,
    pub(crate) settings: &'a Settings,
}

impl Lines {
    /// Lines on one value that one line is compared with, the latest first.
    const CANDIDATES_MAX: usize = 16;

    pub(crate) fn line(&self, root: Handle) -> Option<&Line> {
        self.lines.get(&root)
    }

    /// Counts a finding that is beyond its line's bounds; `None` where there is room for it.
    pub(crate) fn count_untold(&mut self, finding: &Finding, cause: Option<&Tie>) -> Option<u64> {
        let root = self.forest.line_root(cause?.to);
        let line = self.lines.get_mut(&root)?;
        if !line.is_full_for(&finding.rule) {
            return None;
        }
        line.untold += 1;
        Some(line.untold)
    }

    /// Adds a finding under its cause.
    pub(crate) fn add(&mut self, finding: Finding, cause: Option<Tie>, by: Judgment) -> Change {
        let handle = self.forest.insert(finding);
        self.forest.link(handle, cause);
        let mut left = BTreeSet::new();
        let moved = self.adopt(handle, by, &mut left);
        if moved.is_empty() {
            return self.extend(handle, by);
        }
        let mut change = self.rebuild(handle, moved, by);
        change.tops.extend(left);
        change
    }

    /// Lets an earlier finding of the same kind stand in the place of a later one.
    pub(crate) fn replace(&mut self, handle: Handle, finding: Finding, by: Judgment) -> Change {
        let mut moved = BTreeSet::from([handle, self.forest.line_root(handle)]);
        let mut left = BTreeSet::from([self.forest.top(handle)]);
        let cause = self.forest.cause_of(&finding, by.known, by.settings.horizon);
        self.forest.replace(handle, finding);
        self.forest.link(handle, cause);
        moved.extend(self.adopt(handle, by, &mut left));
        let mut change = self.rebuild(handle, moved, by);
        change.tops.extend(left);
        change
    }

    /// Lets later findings take a new one for their cause; gives the lines this may have changed,
    /// and in `left` the tops of the trees they were in.
    fn adopt(
        &mut self,
        handle: Handle,
        by: Judgment,
        left: &mut BTreeSet<Handle>,
    ) -> BTreeSet<Handle> {
        let mut moved = BTreeSet::new();
        let mut pending: Vec<Handle> = self.forest.later_kin(handle).into_iter().collect();
        let mut looked = 0;
        while let Some(&kin) = pending.get(looked) {
            looked += 1;
            let Some(node) = self.forest.node(kin) else { continue };
            let cause = self.forest.cause_of(&node.finding, by.known, by.settings.horizon);
            let is_better = cause.is_some() && cause != node.parent;
            if is_better {
                let hands_out = !node.finding.subject.makes.is_empty();
                left.insert(self.forest.top(kin));
                moved.insert(self.forest.line_root(kin));
                moved.insert(kin);
                self.forest.link(kin, cause);
                // Of several that handed out the same, the one with a cause is more likely.
                if hands_out && pending.len() < Forest::KIN_MAX {
                    let users = self.forest.later_kin(kin);
                    pending.extend(users.into_iter().filter(|user| !moved.contains(user)));
                }
            }
        }
        moved
    }

    /// Sums up a new finding that nothing else moved for.
    fn extend(&mut self, handle: Handle, by: Judgment) -> Change {
        let root = self.forest.line_root(handle);
        let Some(node) = self.forest.node(handle) else { return Change::default() };
        let mut line = self.lines.remove(&root).unwrap_or_default();
        self.ages.remove(&(line.age.0, line.age.1, root));
        let meets_others = line.add(&node.finding, by.settings.seed_bits);
        self.put(root, line);
        let mut change = Change::default();
        let mut roots = BTreeSet::new();
        if meets_others {
            roots.insert(root);
            roots.extend(self.register(root));
        } else {
            roots.extend(self.later_lines(handle, root));
        }
        roots.extend(self.file_lines(handle, root));
        self.meet_all(roots, by, &mut change);
        change.tops.insert(self.forest.top(root));
        change
    }

    /// Sums up again every line that a late finding changed.
    fn rebuild(&mut self, handle: Handle, moved: BTreeSet<Handle>, by: Judgment) -> Change {
        let mut change = Change { has_moved: true, ..Change::default() };
        let mut before = moved;
        before.insert(handle);
        let after: BTreeSet<Handle> = before.iter().map(|&h| self.forest.line_root(h)).collect();
        let mut untold: BTreeMap<Handle, u64> = BTreeMap::new();
        let mut told = BTreeMap::new();
        let mut roots = BTreeSet::new();
        for &old in before.iter().chain(&after) {
            let Some(line) = self.lines.remove(&old) else { continue };
            self.ages.remove(&(line.age.0, line.age.1, old));
            roots.extend(self.unregister(old, &line, Trail::remove_visit));
            let heir = self.forest.line_root(old);
            *untold.entry(heir).or_default() += line.untold;
            let rank = told.entry(heir).or_insert(line.age.0);
            *rank = line.age.0.max(*rank);
        }
        for &root in &after {
            let mut line = Line::default();
            line.untold = untold.remove(&root).unwrap_or(0);
            for member in self.forest.line(root) {
                if let Some(node) = self.forest.node(member) {
                    line.add(&node.finding, by.settings.seed_bits);
                }
            }
            line.age.0 = line.age.0.max(told.get(&root).copied().unwrap_or_default());
            self.put(root, line);
            roots.insert(root);
            roots.extend(self.register(root));
        }
        for member in before {
            roots.extend(self.file_lines(member, self.forest.line_root(member)));
        }
        self.meet_all(roots, by, &mut change);
        change.tops.extend(after.iter().map(|&root| self.forest.top(root)));
        change
    }

    /// Takes a line from its place in the order, and from its values.
    pub(crate) fn take_out(
        &mut self,
        root: Handle,
        leave: impl Fn(&mut Trail, Handle),
    ) -> Option<Line> {
        let line = self.lines.remove(&root)?;
        self.ages.remove(&(line.age.0, line.age.1, root));
        self.unregister(root, &line, leave);
        Some(line)
    }

    /// Counts findings that a line no longer holds.
    pub(crate) fn count_gone(&mut self, root: Handle, gone: usize) {
        if let Some(line) = self.lines.get_mut(&root) {
            line.untold += gone as u64;
        }
    }

    pub(crate) fn put(&mut self, root: Handle, line: Line) {
        self.ages.insert((line.age.0, line.age.1, root));
        self.lines.insert(root, line);
    }

    /// Makes a line known at its values; gives the later lines there.
    fn register(&mut self, root: Handle) -> BTreeSet<Handle> {
        let mut later = BTreeSet::new();
        let (Some(line), Some(node)) = (self.lines.get(&root), self.forest.node(root)) else {
            return later;
        };
        let at = node.at();
        let keys: Vec<_> = line.open_keys().collect();
        for (key, _) in keys {
            let trail = self.forest.trail_mut(key);
            later.extend(trail.after(at).map(|visit| visit.node).take(Forest::KIN_MAX));
            if !trail.visits().iter().any(|visit| visit.node == root) {
                trail.insert(Visit { at, node: root, distance: 1 });
            }
        }
        later
    }

    /// Lines that share a value with this one and began after one of its findings, which may be the
    /// nearest to them.
    fn later_lines(&self, handle: Handle, root: Handle) -> BTreeSet<Handle> {
        let (Some(line), Some(node)) = (self.lines.get(&root), self.forest.node(handle)) else {
            return BTreeSet::new();
        };
        let trails = line.open_keys().filter_map(|(key, _)| self.forest.trail(key));
        trails
            .flat_map(|trail| trail.after(node.at()).take(Forest::KIN_MAX))
            .map(|visit| visit.node)
            .collect()
    }

    /// Takes a line from its values; gives the later lines there.
    fn unregister(
        &mut self,
        root: Handle,
        line: &Line,
        leave: impl Fn(&mut Trail, Handle),
    ) -> BTreeSet<Handle> {
        let mut later = BTreeSet::new();
        for (key, _) in line.open_keys() {
            let trail = self.forest.trail_mut(key);
            let own = trail.visits().iter().find(|visit| visit.node == root).copied();
            let Some(own) = own else { continue };
            later.extend(trail.after(own.at).map(|visit| visit.node).take(Forest::KIN_MAX));
            leave(trail, root);
        }
        later
    }

    /// The lines that a finding's files tie its line to, and its own where there are any.
    fn file_lines(&self, handle: Handle, root: Handle) -> BTreeSet<Handle> {
        let partners = self.forest.file_partners(handle);
        let mut roots: BTreeSet<_> =
            partners.into_iter().map(|partner| self.forest.line_root(partner)).collect();
        roots.remove(&root);
        if !roots.is_empty() {
            roots.insert(root);
        }
        roots
    }

    fn meet_all(&mut self, roots: BTreeSet<Handle>, by: Judgment, change: &mut Change) {
        for root in roots {
            let Some(node) = self.forest.node(root) else { continue };
            let is_root = !node.parent.as_ref().is_some_and(|tie| tie.via.is_lineage());
            let best = self.best_meeting(root, by);
            if !is_root || best == node.parent {
                continue;
            }
            change.tops.insert(self.forest.top(root));
            change.has_moved = true;
            self.forest.link(root, best);
            change.tops.insert(self.forest.top(root));
        }
    }

    /// What ties a line's root to an earlier line, if anything does.
    fn best_meeting(&self, root: Handle, by: Judgment) -> Option<Tie> {
        self.file_meeting(root, by).or_else(|| self.shared_meeting(root, by))
    }

    /// The latest earlier line that handled what this one ran, or ran what this one handled.
    fn file_meeting(&self, root: Handle, by: Judgment) -> Option<Tie> {
        let root_at = self.forest.node(root)?.at();
        let mut best: Option<(Moment, Tie)> = None;
        for member in self.forest.line(root) {
            let Some(node) = self.forest.node(member) else { continue };
            for partner in self.forest.file_partners(member) {
                let other = self.forest.line_root(partner);
                let (Some(head), Some(tail)) = (self.forest.node(other), self.forest.node(partner))
                else {
                    continue;
                };
                let (first, last) = (node.at().min(tail.at()), node.at().max(tail.at()));
                let is_near = last.0.since(first.0) <= by.settings.horizon;
                let is_better = best.as_ref().is_none_or(|(at, _)| *at < tail.at());
                if other == root || root_at < head.at() || !is_near || !is_better {
                    continue;
                }
                let to = if tail.at() < root_at { partner } else { other };
                let is_first = node.at() < tail.at();
                let (touched, ran) = if is_first { (member, partner) } else { (partner, member) };
                let via = Via::File { touched, ran };
                best = Some((tail.at(), Tie { to, class: EdgeClass::C, bits: CAUSAL_BITS, via }));
            }
        }
        best.map(|(_, tie)| tie)
    }

    /// The earlier line that shares a value worth the most bits.
    fn shared_meeting(&self, root: Handle, by: Judgment) -> Option<Tie> {
        let line = self.lines.get(&root)?;
        let mut best: Option<Tie> = None;
        for (key, value) in line.open_keys() {
            let Some(trail) = self.forest.trail(key) else { continue };
            for tie in self.meetings(root, value, trail, by) {
                if best.as_ref().is_none_or(|best| best.bits < tie.bits) {
                    best = Some(tie);
                }
            }
        }
        best.filter(|tie| by.settings.join_bits_min < tie.bits)
    }

    /// Each earlier line at one value, the latest first, with what the meeting is worth.
    fn meetings(&self, root: Handle, value: Shared, trail: &Trail, by: Judgment) -> Vec<Tie> {
        let Some(node) = self.forest.node(root) else { return Vec::new() };
        let (at, now) = (node.at(), node.finding.time);
        let Some(own) = self.lines.get(&root) else { return Vec::new() };
        let (all, seeded) = self.coincidences(value, trail, at);
        let others = trail.before(at).filter_map(|visit| {
            let other = self.lines.get(&visit.node)?;
            let (goes_beyond, is_of_others) = (own.goes_beyond(other), own.is_of_others(other));
            let is_same_actor = value.is_actor() && !is_of_others;
            (is_same_actor || goes_beyond).then_some((visit, other, is_same_actor && goes_beyond))
        });
        let ties = others.take(Self::CANDIDATES_MAX).filter_map(|(visit, other, is_progress)| {
            let members = self.forest.line(visit.node).into_iter();
            let earlier = members.filter_map(|member| {
                let member_at = self.forest.node(member)?.at();
                (member_at < at).then_some((member_at, member))
            });
            let (last, to) = earlier.max()?;
            let apart = now.since(last.0);
            // Leave out the line itself: what it brought is no coincidence of its own.
            let weights = if own.is_seeded() && other.is_seeded() { &seeded } else { &all };
            let weight = weights.iter().filter(|(node, _)| *node != visit.node);
            let weight = weight.map(|(_, weight)| weight).sum::<f64>() + trail.older_weight(now);
            let rate = rate_per_second(weight, is_progress);
            let bits = price(value, apart.as_secs_f64(), rate)
                - if own.is_of_others(other) { ELSEWHERE_BITS } else { 0.0 };
            let via = Via::Shared { value, per_day: per_day(rate) };
            (apart <= by.settings.horizon).then_some(Tie { to, class: EdgeClass::I, bits, via })
        });
        ties.collect()
    }

    /// What each line at a value that began before `at` weighs as a coincidence there: of all
    /// lines, and of those with a seed. Two lines with seeds meet by chance as often as such lines
    /// come. Where the value names who acts, a line that brings a seed which none before it had is
    /// progress, and only what comes again tells how often the actor is met without an attack.
    fn coincidences(&self, value: Shared, trail: &Trail, at: Moment) -> (Weights, Weights) {
        let mut known = BTreeSet::new();
        let (mut all, mut seeded) = (Vec::new(), Vec::new());
        for visit in trail.visits().iter().filter(|visit| visit.at < at) {
            let Some(line) = self.lines.get(&visit.node) else { continue };
            let weight = (visit.node, decay(visit.at.0, at.0));
            all.push(weight);
            let is_new = line.brings_seed(&mut known) && value.is_actor();
            if line.is_seeded() && !is_new {
                seeded.push(weight);
            }
        }
        (all, seeded)
    }

    /// Those of a tree that speak for an attack: lines with a seed, and what is tied to others by
    /// cause. What else quiet lines did makes a story whole, and no more likely.
    pub(crate) fn evidence(&self, members: &[Handle]) -> BTreeSet<Handle> {
        let mut speaking = BTreeSet::new();
        for &member in members {
            let root = self.forest.line_root(member);
            let tie = self.forest.node(member).and_then(|node| node.parent.as_ref());
            let meeting = tie.filter(|tie| !tie.via.is_lineage() && tie.class == EdgeClass::C);
            if let Some(tie) = meeting {
                speaking.extend([root, self.forest.line_root(tie.to)]);
            }
            if self.line(root).is_some_and(Line::is_seeded) {
                speaking.insert(root);
            }
        }
        let members = members.iter().copied();
        members.filter(|&member| speaking.contains(&self.forest.line_root(member))).collect()
    }

    /// Marks all lines of a told tree as such, and as young as its latest finding.
    pub(crate) fn keep_told(&mut self, members: &[Handle], last: TimestampNs) {
        for member in members {
            let Some(line) = self.lines.get_mut(member) else { continue };
            self.ages.remove(&(line.age.0, line.age.1, *member));
            line.age = (Rank::Told, last.max(line.age.1));
            self.ages.insert((line.age.0, line.age.1, *member));
        }
    }

    /// The line that is let go first: the lowest rank, and there the longest without a finding.
    pub(crate) fn least(&self) -> Option<(Rank, Handle)> {
        self.ages.first().map(|&(rank, _, root)| (rank, root))
    }

    /// A line that had no finding within the horizon before `now`, or within its life if it settled.
    pub(crate) fn stale(&self, now: TimestampNs, settings: &Settings) -> Option<(Rank, Handle)> {
        Rank::ALL.into_iter().find_map(|rank| {
            let life = if rank == Rank::Settled { settings.story_life } else { settings.horizon };
            let oldest = self.ages.range((rank, TimestampNs::default(), 0)..).next()?;
            (oldest.0 == rank && life < now.since(oldest.1)).then_some((oldest.0, oldest.2))
        })
    }

    /// Lets a line go; what it says about rates stays. Gives how many findings went.
    pub(crate) fn remove(&mut self, root: Handle) -> usize {
        let members = self.forest.line(root);
        self.take_out(root, Trail::forget);
        for &member in members.iter().rev() {
            self.forest.remove(member);
        }
        members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, process};

    fn add(lines: &mut Lines, rule: &str, pid: u32, ms: u64) -> Handle {
        let (known, settings) = (Known::default(), Settings::default());
        let by = Judgment { known: &known, settings: &settings };
        let finding = Sample::new(rule, 1).lineage(&[process(pid, "x", "", ms)]).at(ms).finding();
        let before = lines.forest.len() as Handle;
        lines.add(finding, None, by);
        before
    }

    #[test]
    fn a_line_is_compared_with_at_most_candidates_max_others_at_a_value() {
        let mut lines = Lines::default();
        for pid in 0..40 {
            add(&mut lines, "a", pid, u64::from(pid));
        }
        let root = add(&mut lines, "b", 99, 100);
        let (known, settings) = (Known::default(), Settings::default());
        let by = Judgment { known: &known, settings: &settings };
        let (key, value) = *lines.line(root).unwrap().keys.first().unwrap();
        let trail = lines.forest.trail(key).unwrap();
        assert_eq!(lines.meetings(root, value, trail, by).len(), Lines::CANDIDATES_MAX);
    }

    #[test]
    fn the_lowest_rank_and_there_the_oldest_is_let_go_first() {
        let mut lines = Lines::default();
        let (known, settings) = (Known::default(), Settings::default());
        let by = Judgment { known: &known, settings: &settings };
        add(&mut lines, "a", 1, 0);
        let notice = Sample::new("b", 2).priority(clew_event::Priority::Notice);
        lines.add(notice.at(5).finding(), None, by);
        assert_eq!(lines.least(), Some((Rank::Quiet, 1)));
        assert_eq!(lines.remove(1), 1);
        assert_eq!(lines.least(), Some((Rank::Seeded, 0)));
        lines.keep_told(&[0], TimestampNs::default());
        assert_eq!(lines.least(), Some((Rank::Told, 0)));
    }
}
