//! Takes findings one by one and gives the stories they make.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{Event, Finding, FindingId, Story, StoryId, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::blindness::Blindness;
use crate::clock::Clock;
use crate::flood::Floods;
use crate::forgotten::Forgotten;
use crate::habit::Habits;
use crate::key::Key;
use crate::known::Known;
use crate::line::Rank;
use crate::lines::{Change, Judgment, Lines};
use crate::links::Links;
use crate::score::{self, Likelihood, Looks};
use crate::settings::Settings;
use crate::tell::{self, Scene};
use crate::trail::{Handle, Trail};

/// All findings that may still belong together, and the stories they make.
///
/// Bounded by [`Settings::findings_max`]; serializes as JSON and goes on from there as if it had
/// never been away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stories {
    settings: Settings,
    counts: Counts,
    lines: Lines,
    known: Known,
    blindness: Blindness,
    looks: Looks,
    habits: Habits,
    links: Links,
    #[serde(default)]
    floods: Floods,
    /// Links that took their place since they were last asked for.
    #[serde(skip)]
    drawn: Vec<Finding>,
    /// Stories told and still growing, in the order in which they were first told.
    told: BTreeMap<u64, Told>,
    /// Their ids.
    #[serde(default)]
    ids: BTreeSet<StoryId>,
    /// The story of each tree that has one, by the tree's top.
    by_top: BTreeMap<Handle, u64>,
    /// How late it is, as the findings agree on it.
    #[serde(default)]
    clock: Clock,
    /// The hour in which what is old was last looked for.
    #[serde(default)]
    tidied_hour: u64,
}

/// What the stories hold and what they had to let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Findings taken in.
    pub findings_seen: u64,
    /// Findings held now.
    pub findings_kept: u64,
    /// Findings that only repeat one that is held (same rule, process and minute), are beyond what
    /// one line keeps in full, or of a flood: counted, not held.
    pub findings_counted: u64,
    /// Findings let go before their time because there were too many.
    pub findings_evicted: u64,
    /// Findings forgotten because their line had no news within the horizon, or their story within
    /// its life.
    pub findings_expired: u64,
    /// Stories that still grow.
    pub stories_open: u64,
    /// Stories ever told.
    pub stories_told: u64,
    /// Patterns of habits forgotten because there were too many.
    pub habits_dropped: u64,
    /// Open stories closed before their time because there were too many findings.
    pub stories_evicted: u64,
}

const NS_PER_HOUR: u64 = 3_600_000_000_000;

/// A story that has been told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    /// Made from the root's finding when it was first told; an earlier root that arrives late
    /// changes the root, and not the name under which people know the story.
    id: StoryId,
    revision: u32,
    /// The root of the line that weighed most when it was last told: where that line goes, the
    /// story goes, for others may turn out to belong elsewhere.
    anchor: Handle,
    /// Findings it was last told with.
    members: usize,
    root_finding: FindingId,
    span: (TimestampNs, TimestampNs),
    /// What spoke for it when most of it was let go.
    #[serde(default)]
    settled: Option<Likelihood>,
    /// Bits that it needed when it was first told.
    #[serde(default)]
    bits_needed: f64,
}

impl Told {
    /// The last revision of a story that is none of its own.
    fn closed(&self, why: String) -> Story {
        tell::closed((self.id, self.revision + 1), (self.root_finding, self.span), why)
    }
}

impl Stories {
    /// Values by which findings may find one another, per finding held; a finding has 16
    /// ancestors, two files and three paths of such, a request, up to 8 events, a rule and up to 11
    /// identities, and a line [`crate::line::Line::KEYS_MAX`] values more.
    const TRAILS_PER_FINDING_MAX: usize = 48;

    /// Links that one finding draws at most, some more with the last.
    const LINKS_MAX: usize = 32;

    /// No findings yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            counts: Counts::default(),
            lines: Lines::default(),
            known: Known::default(),
            blindness: Blindness::default(),
            looks: Looks::default(),
            habits: Habits::default(),
            links: Links::default(),
            floods: Floods::default(),
            drawn: Vec::new(),
            told: BTreeMap::new(),
            ids: BTreeSet::new(),
            by_top: BTreeMap::new(),
            clock: Clock::default(),
            tidied_hour: 0,
        }
    }

    /// Takes note of what an event says about what cannot be seen, and about which processes
    /// serve many. Costs a comparison for other events.
    pub fn observe(&mut self, event: &Event) {
        self.blindness.observe(event);
        self.known.observe(event);
    }

    /// Takes note of how much the engine gave up since it began: stories of that time tell it.
    pub fn note_forgotten(&mut self, now: TimestampNs, totals: &[(Forgotten, u64)]) {
        self.blindness.gaps.note(now, totals);
    }

    /// Takes one finding, and appends a revision of each story it changes.
    ///
    /// Findings may come in any order within [`Settings::horizon`]: the same findings give the
    /// same stories.
    pub fn join(&mut self, finding: &Finding, revisions: &mut Vec<Story>) {
        self.counts.findings_seen += 1;
        for link in self.links_to(finding) {
            self.place(&link, revisions);
            self.drawn.push(link);
        }
        self.place(finding, revisions);
    }

    /// Takes what is no finding and ties others together: it handed out what they act with. It has
    /// no bits, and waits until it is needed.
    pub fn link(&mut self, link: Finding, revisions: &mut Vec<Story>) {
        let forest = &self.lines.forest;
        let is_caused = forest.cause_of(&link, &self.known, self.settings.horizon).is_some();
        if !is_caused && !forest.is_acted_with(&link) {
            self.links.park(link);
            return;
        }
        self.join(&link, revisions);
        self.drawn.push(link);
    }

    /// Takes out the links that became steps since this was last asked.
    pub fn take_drawn(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.drawn)
    }

    /// Links that were given up before a finding needed them.
    #[must_use]
    pub const fn links_dropped(&self) -> u64 {
        self.links.dropped()
    }

    /// The waiting links by which a finding has what it acts with, and by which they have theirs;
    /// the farthest first.
    fn links_to(&mut self, finding: &Finding) -> Vec<Finding> {
        let mut found = self.links.take(Key::acts_with(finding).chain(Key::started(finding)));
        let mut next = 0;
        while let Some(link) = found.get(next).filter(|_| found.len() < Self::LINKS_MAX) {
            next += 1;
            let further = self.links.take(Key::acts_with(link).chain(Key::started(link)));
            found.extend(further);
        }
        found.reverse();
        found
    }

    fn place(&mut self, finding: &Finding, revisions: &mut Vec<Story>) {
        self.clock.observe(finding);
        self.close_stale();
        self.habits.note(finding);
        self.counts.habits_dropped = self.habits.dropped;
        if self.settings.seed_bits <= finding.bits {
            self.looks.insert(Key::rule(finding), finding.time);
        }
        let change = self.take(finding);
        if change.has_moved {
            self.merge_told(&change.tops, revisions);
        }
        for top in change.tops {
            if self.lines.forest.top(top) == top {
                self.tell(top, revisions);
            }
        }
        self.doubt(finding, revisions);
        self.counts.findings_kept = self.lines.forest.len() as u64;
        self.counts.stories_open = self.told.len() as u64;
        debug_assert!(self.lines.forest.len() <= self.settings.findings_max.max(1));
    }

    /// Values held by which findings may find one another: processes, containers, files, requests,
    /// events, credentials, addresses.
    #[must_use]
    pub fn values(&self) -> usize {
        self.lines.forest.trails_len()
    }

    /// What is held and what was let go.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Finds the finding its place; gives the trees that are worth telling again.
    fn take(&mut self, finding: &Finding) -> Change {
        if let Some(twin) = self.lines.forest.twin(finding) {
            self.counts.findings_counted += 1;
            return self.repeat(twin, finding);
        }
        let by = Judgment { known: &self.known, settings: &self.settings };
        let cause = self.lines.forest.cause_of(finding, by.known, by.settings.horizon);
        if let Some(untold) = self.lines.count_untold(finding, cause.as_ref()) {
            self.counts.findings_counted += 1;
            let top = cause.map(|tie| self.lines.forest.top(tie.to));
            // Told again at 1, 2, 4, 8, …: the count stays current without a flood of revisions.
            let tops = top.filter(|_| untold.is_power_of_two()).into_iter().collect();
            return Change { tops, has_moved: false };
        }
        let (gone, flood) = match cause {
            Some(_) => (0, None),
            None => self.floods.fold(&mut self.lines, finding),
        };
        self.counts.findings_counted += gone as u64;
        self.make_room();
        let by = Judgment { known: &self.known, settings: &self.settings };
        let cause = cause.filter(|tie| self.lines.forest.node(tie.to).is_some());
        let mut change = self.lines.add(stripped(finding), cause, by);
        change.tops.extend(flood);
        change
    }

    /// Counts a finding that repeats another; the earlier of the two stands for both.
    fn repeat(&mut self, twin: Handle, finding: &Finding) -> Change {
        let Some(node) = self.lines.forest.node_mut(twin) else { return Change::default() };
        node.repeats += 1;
        let (repeats, at) = (node.repeats, node.at());
        if (finding.time, finding.id) < at {
            let by = Judgment { known: &self.known, settings: &self.settings };
            return self.lines.replace(twin, stripped(finding), by);
        }
        let top = Some(self.lines.forest.top(twin)).filter(|_| repeats.is_power_of_two());
        Change { tops: top.into_iter().collect(), has_moved: false }
    }

    /// Forgets what had no news within the horizon; of a story, all but what may re-open it.
    fn close_stale(&mut self) {
        let now = self.clock.now();
        while let Some((rank, root)) = self.lines.stale(now, &self.settings) {
            let gone = if rank == Rank::Told { self.settle(root) } else { self.let_go(rank, root) };
            self.counts.findings_expired += gone as u64;
        }
        let hour = now.unix_ns() / NS_PER_HOUR;
        if self.tidied_hour < hour {
            self.tidied_hour = hour;
            let (horizon, life) = (self.settings.horizon, self.settings.story_life);
            self.links.expire(now, horizon, life);
            self.looks.expire(now);
            self.lines.forest.prune(|trail| Trail::WEIGHT_MIN <= trail.older_weight(now));
        }
    }

    /// Keeps of a story without news only what leads from its beginning to the identities that it
    /// planted, by which alone it can go on. Gives how many findings went.
    fn settle(&mut self, root: Handle) -> usize {
        let top = self.lines.forest.top(root);
        let members = self.lines.forest.tree(top);
        let number = self.by_top.get(&top).copied();
        let anchor = number.and_then(|number| self.told.get(&number)).map(|told| told.anchor);
        let kept = self.lines.forest.skeleton(&members, anchor.unwrap_or(top));
        let Some(number) = number.filter(|_| !kept.is_empty()) else {
            return self.let_go(Rank::Told, root);
        };
        let likelihood = self.weigh(&members, number);
        let gone = self.lines.thin(&members, top, &kept);
        if let Some(told) = self.told.get_mut(&number) {
            (told.anchor, told.members, told.settled) = (top, kept.len(), Some(likelihood));
        }
        gone
    }

    /// What speaks for a tree now; of a story that was settled, at least what spoke for it then.
    fn weigh(&self, members: &[Handle], number: u64) -> Likelihood {
        let evidence = self.lines.evidence(members);
        let now = score::weigh(&self.lines.forest, &self.habits, members, &evidence);
        let then = self.told.get(&number).and_then(|told| told.settled);
        then.filter(|then| now.bits() < then.bits()).unwrap_or(now)
    }

    /// Makes room for one finding: small lines first, open stories last.
    fn make_room(&mut self) {
        while self.settings.findings_max.max(1) <= self.lines.forest.len() {
            let Some((rank, root)) = self.lines.least() else { break };
            self.counts.findings_evicted += self.let_go(rank, root) as u64;
            if rank == Rank::Told {
                self.counts.stories_evicted += 1;
            }
        }
        let trails_max = self.settings.findings_max.saturating_mul(Self::TRAILS_PER_FINDING_MAX);
        for weight_min in [0.5, f64::INFINITY] {
            if trails_max < self.lines.forest.trails_len() {
                let now = self.clock.now();
                self.lines.forest.prune(|trail: &Trail| weight_min <= trail.older_weight(now));
            }
        }
    }

    /// Lets a line go; of a told story, all of it. Gives how many findings went.
    fn let_go(&mut self, rank: Rank, root: Handle) -> usize {
        if rank < Rank::Settled {
            return self.lines.remove(root);
        }
        let top = self.lines.forest.top(root);
        if let Some(number) = self.by_top.remove(&top) {
            self.end(number);
        }
        let members = self.lines.forest.tree(top);
        let roots = members.iter().filter(|&&member| self.lines.line(member).is_some());
        let roots: Vec<Handle> = roots.copied().collect();
        // The line asked for goes in any case, so that this always gets on.
        let others = roots.into_iter().filter(|&other| other != root);
        let mut gone = 0;
        for line in others.chain([root]) {
            gone += self.lines.remove(line);
        }
        gone
    }

    /// Finds for each told story of these trees the tree it is in now; of two in one tree, the elder
    /// goes on.
    fn merge_told(&mut self, tops: &BTreeSet<Handle>, revisions: &mut Vec<Story>) {
        let moved: BTreeSet<u64> = tops.iter().filter_map(|top| self.by_top.remove(top)).collect();
        let mut absorbed = BTreeSet::new();
        for number in moved {
            let Some(told) = self.told.get(&number) else { continue };
            let top = self.lines.forest.top(told.anchor);
            let other = self.by_top.get(&top).copied().unwrap_or(number);
            self.by_top.insert(top, number.min(other));
            if other != number {
                absorbed.insert((number.max(other), top));
            }
        }
        for (number, top) in absorbed {
            let elder = self.by_top.get(&top).and_then(|elder| self.told.get(elder));
            let into = elder.map(|told| told.id);
            if let (Some(gone), Some(into)) = (self.end(number), into) {
                let why = format!("Part of story {into}, as evidence that came later shows.");
                revisions.push(gone.closed(why));
            }
        }
    }

    /// Takes a story back that lost findings to another and cannot stand without them.
    fn retract(&mut self, top: Handle, number: u64, revisions: &mut Vec<Story>) {
        self.by_top.remove(&top);
        if let Some(gone) = self.end(number) {
            let why = "Taken back: what made it a story belongs to another or is usual there, as \
                       evidence that came later shows.";
            revisions.push(gone.closed(why.to_owned()));
        }
    }

    /// Takes stories back that a finding which came late makes too likely by chance: its rule had
    /// fired in their place before, so that their own findings of it surprise less than it seemed.
    fn doubt(&mut self, finding: &Finding, revisions: &mut Vec<Story>) {
        let Some(trail) = self.lines.forest.trail(Key::rule(finding)) else { return };
        let later = trail.after((finding.time, finding.id)).map(|visit| visit.node);
        let tops: BTreeSet<Handle> = later.map(|node| self.lines.forest.top(node)).collect();
        for top in tops {
            let Some(&number) = self.by_top.get(&top) else { continue };
            let Some(told) = self.told.get(&number) else { continue };
            let is_flood =
                self.lines.forest.node(top).is_some_and(|node| Floods::is_told(node.folded));
            let bits = self.weigh(&self.lines.forest.tree(top), number).bits();
            if bits < told.bits_needed && !is_flood {
                self.retract(top, number, revisions);
            }
        }
    }

    /// Tells a tree, if it is a story.
    fn tell(&mut self, top: Handle, revisions: &mut Vec<Story>) {
        let members = self.lines.forest.tree(top);
        let number = self.by_top.get(&top).copied();
        if number.is_none() && !self.has_seed(&members) {
            return;
        }
        let next = self.counts.stories_told;
        let likelihood = self.weigh(&members, number.unwrap_or(next));
        let is_flood = self.lines.forest.node(top).is_some_and(|node| Floods::is_told(node.folded));
        let is_hopeless = likelihood.bits() < Looks::bits_needed_min(&self.settings);
        if number.is_none() && is_hopeless && !is_flood {
            return;
        }
        let bits_needed = self.looks.bits_needed(self.last_time(&members), &self.settings);
        let is_likely = bits_needed <= likelihood.bits() || is_flood;
        let is_story = self.has_seed(&members) && is_likely;
        match number.and_then(|number| Some((number, self.told.get(&number)?.members))) {
            Some((number, members_told)) if !is_story && members.len() < members_told => {
                self.retract(top, number, revisions);
                return;
            }
            None if !is_story => return,
            Some(_) | None => {}
        }
        let lines = members.iter().filter_map(|&member| self.lines.line(member));
        let untold: u64 = lines.map(|line| line.untold).sum();
        let anchor = self.heaviest_line(&members).unwrap_or(top);
        let scene = Scene {
            forest: &self.lines.forest,
            root: self.lines.forest.origin(anchor),
            blindness: &self.blindness,
            members: &members,
            likelihood,
            bits_needed,
            untold,
        };
        let Some(mut story) = tell::story(&scene) else { return };
        let id = if number.is_none() { self.free_id(story.root.finding) } else { StoryId(0) };
        let told = self.told.entry(number.unwrap_or(next)).or_insert_with(|| Told {
            id,
            revision: 0,
            anchor,
            members: 0,
            root_finding: story.root.finding,
            span: story.span,
            settled: None,
            bits_needed,
        });
        told.revision += 1;
        (told.anchor, told.members) = (anchor, members.len());
        told.span = story.span;
        story.id = told.id;
        story.revision = told.revision;
        if number.is_none() {
            self.ids.insert(id);
            self.by_top.insert(top, next);
            self.counts.stories_told += 1;
        }
        self.lines.keep_told(&members, story.span.1);
        revisions.push(story);
    }

    fn last_time(&self, members: &[Handle]) -> TimestampNs {
        let nodes = members.iter().filter_map(|&member| self.lines.forest.node(member));
        nodes.map(|node| node.finding.time).max().unwrap_or_default()
    }

    /// Root of the line with the most bits in its findings; of two, the earlier.
    fn heaviest_line(&self, members: &[Handle]) -> Option<Handle> {
        let forest = &self.lines.forest;
        let roots = members.iter().filter(|&&member| self.lines.line(member).is_some());
        let weighed = roots.filter_map(|&root| {
            let line = forest.line(root).into_iter().filter_map(|member| forest.node(member));
            let bits: f64 = line.map(|node| node.finding.bits).sum();
            Some((bits, std::cmp::Reverse(forest.node(root)?.at()), root))
        });
        let heaviest = weighed.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        heaviest.map(|(_, _, root)| root)
    }

    /// An id for a story that begins with this finding. Another open story may bear its first
    /// one: it began with this finding too, until evidence that came later moved it elsewhere.
    fn free_id(&self, root: FindingId) -> StoryId {
        let is_free = |id: &StoryId| !self.ids.contains(id);
        let ids = (0..=self.told.len() as u64).map(|count| story_id(root, count));
        ids.into_iter().find(is_free).unwrap_or_default()
    }

    /// Takes a story out of those that grow.
    fn end(&mut self, number: u64) -> Option<Told> {
        let told = self.told.remove(&number)?;
        self.ids.remove(&told.id);
        Some(told)
    }

    fn has_seed(&self, members: &[Handle]) -> bool {
        let mut lines = members.iter().filter_map(|&member| self.lines.line(member));
        lines.any(|line| line.is_seeded())
    }
}

/// The `count`-th story that begins with this finding.
fn story_id(root: FindingId, count: u64) -> StoryId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"story");
    hasher.update(&count.to_le_bytes());
    hasher.update(&root.0.to_be_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    StoryId(u128::from_be_bytes(id))
}

/// The finding without what a story does not tell.
fn stripped(finding: &Finding) -> Finding {
    Finding { output_fields: BTreeMap::new(), tags: Vec::new(), ..finding.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, process};

    #[test]
    fn values_are_bounded_by_trails_per_finding_max_whatever_the_findings_name() {
        let settings = Settings { findings_max: 8, ..Settings::default() };
        let mut stories = Stories::new(settings);
        let mut revisions = Vec::new();
        for n in 0..2_000_u32 {
            let lineage: Vec<_> = (0..16).map(|up| process(n * 16 + up, "x", "", 0)).collect();
            let sample = Sample::new(&format!("rule {n}"), 1).lineage(&lineage).at(u64::from(n));
            let sample =
                sample.file(&format!("/f/{n}")).peer(&format!("10.{}.{}.1:1", n / 256, n % 256));
            stories.join(&sample.finding(), &mut revisions);
            let trails_max = 8 * Stories::TRAILS_PER_FINDING_MAX;
            // A finding is put in after room was made: it may bring that many more.
            let held = stories.lines.forest.trails_len();
            assert!(held <= trails_max + Stories::TRAILS_PER_FINDING_MAX, "{held}");
        }
    }

    #[test]
    fn holds_findings_max_unless_told_otherwise() {
        assert_eq!(Settings::default().findings_max, Settings::FINDINGS_MAX);
    }

    #[test]
    fn an_id_is_free_only_while_no_open_story_bears_it() {
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        let finding = Sample::new("a", 1).priority(clew_event::Priority::Critical).at(0).finding();
        let id = stories.free_id(finding.id);
        stories.join(&finding, &mut revisions);
        assert_eq!(revisions.first().map(|story| story.id), Some(id));
        assert_ne!(stories.free_id(finding.id), id);
    }
}
