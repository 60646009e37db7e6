//! Findings as a forest of best parents, with the trails by which they find one another.
//!
//! Each finding takes at most one parent, so that shared values cannot chain unrelated findings
//! into one cluster. A *line* is a tree of causal process ties; lines are joined by other ties
//! (see `lines`), from the root of one to a finding of another, which gives trees of lines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clew_event::finding::EntityKind;
use clew_event::story::EdgeClass;
use clew_event::{Finding, FindingId};
use serde::{Deserialize, Serialize};

use crate::key::{Key, caller_address};
use crate::known::Known;
use crate::tie::{Ancestor, CAUSAL_BITS, Tie, Via, by_request, is_about_start};
use crate::trail::{Handle, Moment, Trail, Visit};

/// One finding in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) finding: Finding,
    pub(crate) parent: Option<Tie>,
    pub(crate) children: BTreeSet<Handle>,
    /// Findings of the same rule by the same process in the same minute.
    pub(crate) repeats: u64,
    /// Findings of the same flood that this one stands for.
    #[serde(default)]
    pub(crate) folded: u64,
}

impl Node {
    pub(crate) fn at(&self) -> Moment {
        (self.finding.time, self.finding.id)
    }
}

/// All findings held, and who was where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forest {
    nodes: BTreeMap<Handle, Node>,
    trails: BTreeMap<Key, Trail>,
    minutes: BTreeMap<Key, Handle>,
    next: Handle,
}

/// How a finding is part of a file's trail.
const TOUCHED: u8 = 0;
const RAN: u8 = 1;
/// How a finding is part of an identity's trail.
const MADE: u8 = 0;
const USED: u8 = 1;

/// Bits from which a tie that is no cause leads on to where a story began.
const ROOT_BITS: f64 = 6.0;

/// How much earlier than its making an identity may be used, as logs tell it: AWS tells whole
/// seconds, and the clocks of two machines differ.
const SKEW: Duration = Duration::from_secs(2);

impl Forest {
    /// Later findings whose parent is looked for again when an earlier one arrives late.
    pub(crate) const KIN_MAX: usize = 64;
    /// Events of one finding by which it may be tied to others: what decided it, and reasons.
    pub(crate) const EVENTS_MAX: usize = 8;

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn node(&self, handle: Handle) -> Option<&Node> {
        self.nodes.get(&handle)
    }

    pub(crate) fn node_mut(&mut self, handle: Handle) -> Option<&mut Node> {
        self.nodes.get_mut(&handle)
    }

    pub(crate) fn trail(&self, key: Key) -> Option<&Trail> {
        self.trails.get(&key)
    }

    pub(crate) fn trail_mut(&mut self, key: Key) -> &mut Trail {
        self.trails.entry(key).or_default()
    }

    pub(crate) fn trails_len(&self) -> usize {
        self.trails.len()
    }

    /// Drops trails that name nobody and count for little.
    pub(crate) fn prune(&mut self, weight_min: impl Fn(&Trail) -> bool) {
        self.trails.retain(|_, trail| !trail.is_empty() || weight_min(trail));
    }

    /// The finding that stands for this one, where the same was found in the same minute.
    pub(crate) fn twin(&self, finding: &Finding) -> Option<Handle> {
        self.minutes.get(&Key::minute(finding)).copied()
    }

    /// Puts a finding in, as yet without a parent.
    pub(crate) fn insert(&mut self, finding: Finding) -> Handle {
        let handle = self.next;
        self.next += 1;
        let node = Node { finding, parent: None, children: BTreeSet::new(), repeats: 0, folded: 0 };
        self.nodes.insert(handle, node);
        self.index(handle);
        handle
    }

    /// Lets an earlier finding stand where a later one of the same kind stood.
    pub(crate) fn replace(&mut self, handle: Handle, finding: Finding) {
        self.unindex(handle, Trail::remove_visit);
        if let Some(node) = self.nodes.get_mut(&handle) {
            node.finding = finding;
        }
        self.index(handle);
    }

    /// Takes a finding out; its children lose their parent, its rule stays counted.
    pub(crate) fn remove(&mut self, handle: Handle) {
        self.link(handle, None);
        self.unindex(handle, Trail::forget);
        let Some(node) = self.nodes.remove(&handle) else { return };
        for child in node.children {
            if let Some(child) = self.nodes.get_mut(&child) {
                child.parent = None;
            }
        }
    }

    fn index(&mut self, handle: Handle) {
        let Some(node) = self.nodes.get(&handle) else { return };
        let at = node.at();
        let minute = Key::minute(&node.finding);
        for (key, distance) in places(&node.finding) {
            self.trails.entry(key).or_default().insert(Visit { at, node: handle, distance });
        }
        self.minutes.insert(minute, handle);
    }

    fn unindex(&mut self, handle: Handle, leave: impl Fn(&mut Trail, Handle)) {
        let Some(node) = self.nodes.get(&handle) else { return };
        let rule = Key::rule(&node.finding);
        for (key, _) in places(&node.finding) {
            let Some(trail) = self.trails.get_mut(&key) else { continue };
            leave(trail, handle);
            if trail.is_empty() && key != rule {
                self.trails.remove(&key);
            }
        }
        self.minutes.remove(&Key::minute(&node.finding));
    }

    /// Gives a finding another parent, or none. Where clocks differ, one that looks like its cause
    /// may lie below it: then a tie between them that is of no cause gives way, and where there is
    /// none, the new parent is refused.
    pub(crate) fn link(&mut self, handle: Handle, parent: Option<Tie>) {
        let parent = parent.filter(|tie| match self.path(tie.to, handle) {
            None => true,
            Some(path) => {
                let is_lineage = |handle: &Handle| {
                    let tie = self.nodes.get(handle).and_then(|node| node.parent.as_ref());
                    tie.is_some_and(|tie| tie.via.is_lineage())
                };
                let weak = path.iter().find(|&handle| tie.via.is_lineage() && !is_lineage(handle));
                weak.map(|&weak| self.set_parent(weak, None)).is_some()
            }
        });
        self.set_parent(handle, parent);
    }

    fn set_parent(&mut self, handle: Handle, parent: Option<Tie>) {
        let to = parent.as_ref().map(|tie| tie.to);
        let Some(node) = self.nodes.get_mut(&handle) else { return };
        let old = std::mem::replace(&mut node.parent, parent).map(|tie| tie.to);
        if let Some(old) = old.and_then(|old| self.nodes.get_mut(&old)) {
            old.children.remove(&handle);
        }
        if let Some(to) = to.and_then(|to| self.nodes.get_mut(&to)) {
            to.children.insert(handle);
        }
    }

    /// The findings from one up to another above it, without that; `None` where it is not above.
    fn path(&self, mut at: Handle, above: Handle) -> Option<Vec<Handle>> {
        let mut path = Vec::new();
        while at != above {
            path.push(at);
            at = self.nodes.get(&at)?.parent.as_ref()?.to;
        }
        Some(path)
    }

    /// The earlier finding that is the cause of this one: by the process tree, or else by the
    /// request that both are of, by an event that both are about, by a stolen credential that both
    /// used, or by how what it acts with came to be.
    pub(crate) fn cause_of(
        &self,
        finding: &Finding,
        known: &Known,
        horizon: Duration,
    ) -> Option<Tie> {
        self.ancestor_of(finding, known, horizon)
            .or_else(|| self.request_of(finding, horizon))
            .or_else(|| self.event_of(finding))
            .or_else(|| self.fellow_of(finding, horizon))
            .or_else(|| self.maker_of(finding))
    }

    /// The first finding that one of this one's events decided.
    fn event_of(&self, finding: &Finding) -> Option<Tie> {
        let own = (finding.time, finding.id);
        let reason = (finding.time.after(SKEW), FindingId(u128::MAX));
        let events = finding.events.iter().take(Self::EVENTS_MAX).enumerate();
        let found = events.filter_map(|(index, &event)| {
            let trail = self.trails.get(&Key::event(event))?;
            let before = trail.before(if index == 0 { own } else { reason });
            let first = before.filter(|visit| visit.distance == 0 && visit.at != own).last()?;
            Some((first.at, first.node, event))
        });
        let (_, to, event) = found.min()?;
        Some(Tie { to, class: EdgeClass::C, bits: CAUSAL_BITS, via: Via::Event(event) })
    }

    /// The last thing that the thief of the same credential did.
    fn fellow_of(&self, finding: &Finding, horizon: Duration) -> Option<Tie> {
        let trail = self.trails.get(&Key::thief(finding)?)?;
        let last = trail.before((finding.time, finding.id)).next()?;
        let is_near = finding.time.since(last.at.0) <= horizon;
        let tie = Tie { to: last.node, class: EdgeClass::C, bits: CAUSAL_BITS, via: Via::Thief };
        is_near.then_some(tie)
    }

    /// What handed out the identity that this one acts with. A call makes an identity once. A
    /// metadata service hands the same credential to all that ask: who uses it outside has it from
    /// whoever asked because of a finding, and who uses it inside may have it from anybody. Of
    /// several, the one that was asked from the same address is the likeliest.
    fn maker_of(&self, finding: &Finding) -> Option<Tie> {
        let until = (finding.time.after(SKEW), FindingId(u128::MAX));
        let call = finding.subject.call.as_ref()?;
        let address = caller_address(finding);
        Key::acts_with(finding).find_map(|key| {
            let makers = self
                .trails
                .get(&key)?
                .before(until)
                .filter(|visit| visit.distance == MADE && visit.at.1 != finding.id);
            let ranked = makers.filter_map(|visit| {
                let node = self.nodes.get(&visit.node)?;
                let is_call = node.finding.subject.call.is_some();
                let is_same_address =
                    address.is_some_and(|address| caller_address(&node.finding) == Some(address));
                let rank = (is_call, is_same_address, node.parent.is_some());
                (is_call || call.is_outside).then_some((rank, visit.at, visit.node))
            });
            let (_, _, to) = ranked.max()?;
            Some(Tie { to, class: EdgeClass::C, bits: CAUSAL_BITS, via: Via::Handed })
        })
    }

    /// The first finding of the request that this one is of.
    fn request_of(&self, finding: &Finding, horizon: Duration) -> Option<Tie> {
        let request = finding.subject.request.as_ref()?;
        let trail = self.trails.get(&Key::request(finding)?)?;
        let near = trail.before((finding.time, finding.id));
        let near = near.take_while(|visit| finding.time.since(visit.at.0) <= horizon);
        let ties = near.filter_map(|visit| {
            let other = self.nodes.get(&visit.node)?.finding.subject.request.as_ref()?;
            let probability = request.probability * other.probability;
            let (class, bits) = by_request(probability)?;
            let millionths = millionths(probability);
            let via = Via::Request { exchange: request.exchange, millionths };
            Some(Tie { to: visit.node, class, bits, via })
        });
        ties.last()
    }

    /// The nearest and latest cause by the process tree; where only a common ancestor ties the two
    /// findings, the first one below it.
    fn ancestor_of(&self, finding: &Finding, known: &Known, horizon: Duration) -> Option<Tie> {
        let container = finding.subject.container.as_ref();
        let lineage = &finding.subject.lineage;
        lineage.iter().enumerate().find_map(|(here, facts)| {
            let trail = self.trails.get(&Key::process(facts.key))?;
            let was_found_at_start = self.was_found_at_start(trail);
            let is_topmost = here + 1 == lineage.len();
            let near = trail
                .before((finding.time, finding.id))
                .take_while(|visit| finding.time.since(visit.at.0) <= horizon);
            let best = near
                .filter(|visit| {
                    let ancestor = Ancestor {
                        facts,
                        here,
                        there: usize::from(visit.distance),
                        is_topmost: is_topmost
                            && !known.first_processes.is_beside(facts.key, container),
                        is_server: known.servers.has(facts.key),
                        was_found_at_start,
                    };
                    ancestor.is_cause(visit.at.0, finding.time)
                })
                .min_by(|a, b| {
                    // Of brothers the first, which then holds them all; else the latest.
                    let are_brothers = 0 < here && 0 < a.distance;
                    let by_time = if are_brothers { a.at.cmp(&b.at) } else { b.at.cmp(&a.at) };
                    a.distance.cmp(&b.distance).then(by_time)
                })?;
            let here = u8::try_from(here).unwrap_or(u8::MAX);
            let via = Via::Process { ancestor: facts.key, here, there: best.distance };
            Some(Tie { to: best.node, class: EdgeClass::C, bits: CAUSAL_BITS, via })
        })
    }

    fn was_found_at_start(&self, trail: &Trail) -> bool {
        trail.visits().iter().any(|visit| {
            visit.distance == 0
                && self.nodes.get(&visit.node).is_some_and(|node| is_about_start(&node.finding))
        })
    }

    /// True where a finding acts with what this one handed out.
    pub(crate) fn is_acted_with(&self, finding: &Finding) -> bool {
        let visits = |key| self.trails.get(&key).map(Trail::visits).unwrap_or_default();
        let is_used = |key| visits(key).iter().any(|visit| visit.distance == USED);
        let made = finding.subject.makes.iter();
        let mut processes = made.filter(|made| made.kind == EntityKind::Process);
        Key::makes(finding).any(is_used)
            || processes.any(|_| {
                let lineage = finding.subject.lineage.first();
                lineage.is_some_and(|facts| !visits(Key::process(facts.key)).is_empty())
            })
    }

    /// Later findings that might take this one for their parent, at most [`Self::KIN_MAX`].
    pub(crate) fn later_kin(&self, handle: Handle) -> BTreeSet<Handle> {
        let mut kin = BTreeSet::new();
        let Some(node) = self.nodes.get(&handle) else { return kin };
        let finding = &node.finding;
        let lineage = finding.subject.lineage.iter().map(|facts| Key::process(facts.key));
        let event = finding.events.first().map(|&event| Key::event(event));
        let keys = lineage.chain(Key::request(finding)).chain(event).chain(Key::thief(finding));
        let later = keys.map(|key| (key, node.at()));
        let early = finding.time.before(SKEW);
        let users = Key::makes(finding).map(|key| (key, (early, FindingId(0))));
        for (key, after) in later.chain(users) {
            let Some(trail) = self.trails.get(&key) else { continue };
            for visit in trail.after(after).filter(|visit| visit.node != handle) {
                if kin.len() < Self::KIN_MAX {
                    kin.insert(visit.node);
                }
            }
        }
        kin
    }

    /// Findings at this one's files in the other role: who ran what this one touched, who touched
    /// what this one runs. The touching always comes first.
    pub(crate) fn file_partners(&self, handle: Handle) -> Vec<Handle> {
        let Some(node) = self.nodes.get(&handle) else { return Vec::new() };
        let own = file_places(&node.finding);
        let partners = own.into_iter().flat_map(|(key, role)| {
            let visits = self.trails.get(&key).map(Trail::visits).unwrap_or_default();
            visits.iter().filter(move |visit| {
                visit.distance != role
                    && if role == RAN { visit.at < node.at() } else { node.at() < visit.at }
            })
        });
        partners.map(|visit| visit.node).collect()
    }

    /// The first finding of the line that this one belongs to.
    pub(crate) fn line_root(&self, handle: Handle) -> Handle {
        self.climb(handle, |tie| tie.via.is_lineage())
    }

    /// Where what this finding is of began: followed back by causes, by who acted, and by what is
    /// very likely none of chance. What merely came before, in the same place, is told and is not
    /// the root.
    pub(crate) fn origin(&self, handle: Handle) -> Handle {
        self.climb(handle, |tie| {
            tie.class == EdgeClass::C || tie.via.is_actor() || ROOT_BITS < tie.bits
        })
    }

    /// The first finding of the whole tree of lines.
    pub(crate) fn top(&self, handle: Handle) -> Handle {
        self.climb(handle, |_| true)
    }

    fn climb(&self, handle: Handle, goes_on: impl Fn(&Tie) -> bool) -> Handle {
        let mut at = handle;
        while let Some(tie) = self.nodes.get(&at).and_then(|node| node.parent.as_ref()) {
            if !goes_on(tie) {
                break;
            }
            at = tie.to;
        }
        at
    }

    /// How many findings hang on each of a tree's, itself among them; parents stand before their
    /// children.
    pub(crate) fn sizes(&self, members: &[Handle]) -> BTreeMap<Handle, usize> {
        let mut sizes: BTreeMap<Handle, usize> = BTreeMap::new();
        for &member in members.iter().rev() {
            let Some(node) = self.nodes.get(&member) else { continue };
            let below: usize = node.children.iter().filter_map(|child| sizes.get(child)).sum();
            sizes.insert(member, 1 + below);
        }
        sizes
    }

    /// All findings of the line with this root, the root first.
    pub(crate) fn line(&self, root: Handle) -> Vec<Handle> {
        self.collect(root, |tie| tie.via.is_lineage())
    }

    /// All findings of the tree of lines with this top, the top first.
    pub(crate) fn tree(&self, top: Handle) -> Vec<Handle> {
        self.collect(top, |_| true)
    }

    fn collect(&self, root: Handle, belongs: impl Fn(&Tie) -> bool) -> Vec<Handle> {
        let mut found = vec![root];
        let mut next = 0;
        while let Some(node) = found.get(next).and_then(|handle| self.nodes.get(handle)) {
            next += 1;
            let children = node.children.iter().copied().filter(|child| {
                let tie = self.nodes.get(child).and_then(|child| child.parent.as_ref());
                tie.is_some_and(&belongs)
            });
            found.extend(children);
        }
        found
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a probability lies between 0 and 1"
)]
fn millionths(probability: f64) -> u32 {
    (probability * 1e6).round() as u32
}

/// The trails that a finding is part of, and how.
fn places(finding: &Finding) -> Vec<(Key, u8)> {
    let lineage = finding.subject.lineage.iter().enumerate();
    let processes = lineage.map(|(generation, facts)| {
        (Key::process(facts.key), u8::try_from(generation).unwrap_or(u8::MAX))
    });
    let rule = (Key::rule(finding), 1);
    let request = Key::request(finding).map(|key| (key, 0));
    let files = file_places(finding);
    let events = finding.events.iter().take(Forest::EVENTS_MAX).enumerate();
    let events = events.map(|(place, &event)| (Key::event(event), u8::from(0 < place)));
    let made = Key::makes(finding).map(|key| (key, MADE));
    let used = Key::acts_with(finding).map(|key| (key, USED));
    let thief = Key::thief(finding).map(|key| (key, 0));
    let calls = made.chain(used).chain(thief);
    processes.chain(files).chain(request).chain(events).chain(calls).chain([rule]).collect()
}

/// The file that its process runs, if that was dropped, and the file that it touched; the file
/// that its request had written, and the one that its request asks for.
fn file_places(finding: &Finding) -> Vec<(Key, u8)> {
    let process = finding.subject.lineage.first();
    let program = process.filter(|process| process.is_dropped).map(|process| &process.exe);
    let ran = program.and_then(|exe| Key::file(finding, exe));
    let touched = Key::file(finding, &finding.subject.file).filter(|key| Some(*key) != ran);
    let ran = ran.into_iter().chain(Key::served(finding)).map(|key| (key, RAN));
    let touched = touched.into_iter().chain(Key::uploaded(finding)).map(|key| (key, TOUCHED));
    ran.chain(touched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, process};

    const HORIZON: Duration = Duration::from_secs(3600);

    fn below(shell: u32, pid: u32, ms: u64) -> Finding {
        let lineage =
            [process(pid, "x", "", ms), process(shell, "sh", "", 0), process(1, "s", "", 0)];
        Sample::new("a", 1).lineage(&lineage).at(ms).finding()
    }

    #[test]
    fn looks_again_at_no_more_than_kin_max_later_findings() {
        let mut forest = Forest::default();
        for pid in 0..200 {
            forest.insert(below(50, 100 + pid, 1_000 + u64::from(pid)));
        }
        let early = forest.insert(below(50, 99, 1));
        assert_eq!(forest.later_kin(early).len(), Forest::KIN_MAX);
    }

    #[test]
    fn the_nearest_ancestor_wins_then_the_first_brother() {
        let mut forest = Forest::default();
        let first = forest.insert(below(50, 101, 10));
        forest.insert(below(50, 102, 20));
        let cause = |forest: &Forest, finding: &Finding| {
            forest.cause_of(finding, &Known::default(), HORIZON).map(|tie| tie.to)
        };
        let child = below(50, 103, 30);
        assert_eq!(cause(&forest, &child), Some(first));
        let lineage = [process(50, "sh", "", 0), process(1, "s", "", 0)];
        let shell = Sample::new("shell", 1).lineage(&lineage).at(5).finding();
        let shell = forest.insert(shell);
        assert_eq!(cause(&forest, &child), Some(shell));
        assert_eq!(cause(&forest, &below(51, 104, 40)), None);
    }

    #[test]
    fn a_removed_finding_leaves_its_children_without_a_parent_and_no_trace_but_its_rule() {
        let mut forest = Forest::default();
        let first = forest.insert(below(50, 101, 10));
        let second = forest.insert(below(50, 102, 20));
        let tie = forest.cause_of(&below(50, 102, 20), &Known::default(), HORIZON);
        forest.link(second, tie);
        forest.remove(first);
        assert_eq!(forest.node(second).unwrap().parent, None);
        forest.remove(second);
        assert_eq!((forest.len(), forest.trails_len(), forest.minutes.len()), (0, 1, 0));
    }
}
