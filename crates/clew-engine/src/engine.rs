//! The engine: context, rules, judged requests and stories in one value, driven by events alone.

use clew_appsec::api::Apis;
use clew_context::Context;
use clew_context::identity::key::Identity;
use clew_event::finding::Finding;
use clew_event::story::Story;
use clew_event::{Event, EventKind, Semantics};
use clew_profile::novelty::SEED_BITS;
use clew_profile::{Novelty, Profiles};
use clew_rules::{Correlated, Correlations, Matched, RuleIndex, RuleSet};
use clew_story::{Forgotten, Stories};

use crate::appsec::{Appsec, Judge};
use crate::tally::{RuleRate, Tallies, Tally};
use crate::told::Told;
use crate::unclaimed::Unclaimed;
use crate::witnesses::Witnesses;
use crate::{evidence, finding, links};

/// Stories hear of what was given up with each finding and so often between: often enough to know
/// the hour, and no cost.
const FORGOTTEN_EVENTS: u64 = 1_024;

/// What the parts of an engine start with.
#[derive(Debug, Default)]
pub struct Settings {
    /// Bounds of the context.
    pub context: clew_context::Limits,
    /// Thresholds and bounds of stories.
    pub stories: clew_story::Settings,
    /// Whether requests and their effects are judged.
    pub appsec: Appsec,
    /// Whether what workloads do is learned and judged.
    pub profiling: Profiling,
}

/// Whether what workloads do is learned and judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profiling {
    /// It is.
    #[default]
    On,
    /// Rules alone say what is strange.
    Off,
}

/// What one or more steps gave. The caller empties it; the engine only adds.
#[derive(Debug, Default)]
pub struct Output {
    /// Findings in the order of their events.
    pub findings: Vec<Finding>,
    /// Story revisions in the order in which they came to be.
    pub stories: Vec<Story>,
    /// What ties findings of stories together and is no finding itself: steps of no bits.
    pub links: Vec<Finding>,
    /// The events that decided the findings, each once, without the secrets in them.
    pub evidence: Vec<Event>,
}

impl Output {
    /// True where there is nothing to keep or to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.stories.is_empty() && self.links.is_empty()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.findings.clear();
        self.stories.clear();
        self.links.clear();
        self.evidence.clear();
    }
}

/// Totals since the engine began; part of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Events stepped through.
    pub events: u64,
    /// Events that were lost before they could be read, as the stream itself says.
    pub lost: u64,
    /// Findings made.
    pub findings: u64,
    /// Story revisions made.
    pub revisions: u64,
    /// Matches that made no finding because the rule's rate was used up.
    #[serde(default)]
    pub suppressed: u64,
}

/// Detection as one value: same events in, same findings and stories out.
#[derive(Debug)]
pub struct Engine {
    pub(crate) context: Context,
    pub(crate) stories: Stories,
    pub(crate) counts: Counts,
    pub(crate) rules: RuleSet,
    pub(crate) matches: Vec<RuleIndex>,
    pub(crate) tallies: Tallies,
    pub(crate) correlations: Correlations,
    pub(crate) correlated: Vec<Correlated>,
    pub(crate) told: Told,
    pub(crate) witnesses: Witnesses,
    pub(crate) unclaimed: Unclaimed,
    pub(crate) apis: Apis,
    /// `None` where requests are not judged.
    pub(crate) judge: Option<Judge>,
    pub(crate) profiles: Profiles,
    profiling: Profiling,
    novelties: Vec<Novelty>,
}

impl Engine {
    /// An engine that has seen nothing yet.
    #[must_use]
    pub fn new(rules: RuleSet, settings: Settings) -> Self {
        let mut context = Context::new(settings.context);
        context.set_semantics(rules.semantics());
        Self {
            context,
            stories: Stories::new(settings.stories),
            counts: Counts::default(),
            rules,
            matches: Vec::new(),
            tallies: Tallies::default(),
            correlations: Correlations::default(),
            correlated: Vec::new(),
            told: Told::default(),
            witnesses: Witnesses::default(),
            unclaimed: Unclaimed::default(),
            apis: Apis::default(),
            judge: (settings.appsec == Appsec::On).then(Judge::new),
            profiles: Profiles::default(),
            profiling: settings.profiling,
            novelties: Vec::new(),
        }
    }

    /// Takes in one event and adds what follows from it to `output`.
    pub fn step(&mut self, event: &Event, output: &mut Output) {
        self.counts.events += 1;
        if let EventKind::Lost(lost) = &event.kind {
            self.counts.lost = self.counts.lost.saturating_add(lost.count);
        }
        self.context.observe(event);
        self.stories.observe(event);
        if self.counts.events.is_multiple_of(FORGOTTEN_EVENTS) {
            self.stories.note_forgotten(event.time, &self.forgotten());
        }

        self.matches.clear();
        let view = self.context.view(event);
        self.rules.judge(event.event_type, event.source(), &view, &mut self.matches);
        let mut found = self.of_rules(event);
        let view = self.context.view(event);
        if let Some(judge) = &mut self.judge {
            judge.judge(event, &view, &mut self.apis);
            let detected = judge.take();
            found.extend(detected.map(|it| finding::of_detected(it, event, &view)));
        }
        if self.profiling == Profiling::On {
            self.profiles.observe(&view, &mut self.novelties);
            if found.iter().any(|finding| SEED_BITS <= finding.bits) {
                self.profiles.quarantine(&view);
            }
            // What a rule tells of the event is told once: new behavior makes it more surprising.
            finding::add_novelties(&mut found, self.novelties.drain(..), event, &view);
        }
        // A finding of the event says itself what that handed out.
        let link = if found.is_empty() { links::of_event(event, &view) } else { None };
        let is_told = !found.is_empty() && self.tell(event, found, output);
        if link.is_some() || !is_told && self.is_correlated() {
            self.witnesses.keep(event);
        }
        self.link(event, link, output);
        if let Some(judged) = self.context.identities().unclaimed(event) {
            let rules = self.matches.iter().filter_map(|index| self.rules.rule(*index));
            let names = || rules.map(|rule| rule.name.clone()).collect();
            self.unclaimed.keep(event, judged, names);
        }
        self.judge_again(output);
    }

    /// Judges what was done with an identity before the last event told who made it: a rule may
    /// ask for that.
    fn judge_again(&mut self, output: &mut Output) {
        for made in self.context.take_late() {
            let heirs = self.context.identities().heirs(&made);
            let heirs: Vec<Identity> = heirs.into_iter().cloned().collect();
            for heir in heirs {
                for at in 0..self.unclaimed.count_of(&heir) {
                    self.judge_waiting((&heir, at), output);
                }
            }
        }
    }

    fn judge_waiting(&mut self, place: (&Identity, usize), output: &mut Output) {
        let Some(waiting) = self.unclaimed.get_mut(place) else { return };
        let event = waiting.event.clone();
        self.context.judge_again(&event, waiting.judged.clone());
        self.matches.clear();
        let view = self.context.view(&event);
        self.rules.judge(event.event_type, event.source(), &view, &mut self.matches);
        let rules = &self.rules;
        self.matches.retain(|index| {
            let name = rules.rule(*index).map_or("", |rule| rule.name.as_str());
            let is_new = !waiting.matched.iter().any(|known| known == name);
            is_new.then(|| waiting.matched.push(name.to_owned())).is_some()
        });
        let found = self.of_rules(&event);
        let is_told = !found.is_empty() && self.tell(&event, found, output);
        if !is_told && self.is_correlated() {
            self.witnesses.keep(&event);
        }
    }

    /// Whether a correlation is about what the event matched.
    fn is_correlated(&self) -> bool {
        self.matches.iter().any(|index| self.rules.is_correlated(*index))
    }

    /// Takes in what the event ties together, and gives out what stories made steps of.
    fn link(&mut self, event: &Event, link: Option<Finding>, output: &mut Output) {
        let started = self.context.take_started();
        if started.is_empty() && link.is_none() {
            return;
        }
        let hostname = self.context.view(event).hostname().to_str_lossy().into_owned();
        let starts = started.iter().map(|it| links::of_start(it, &hostname, &self.context));
        for link in starts.chain(link).collect::<Vec<_>>() {
            self.join(|stories, revisions| stories.link(link, revisions), output);
        }
    }

    /// Does something to the stories, and gives out what came of it.
    fn join(&mut self, act: impl FnOnce(&mut Stories, &mut Vec<Story>), output: &mut Output) {
        let before = output.stories.len();
        act(&mut self.stories, &mut output.stories);
        self.counts.revisions += (output.stories.len() - before) as u64;
        for step in output.stories.iter().skip(before).flat_map(|story| &story.steps) {
            self.profiles.retract_finding(step.finding);
        }
        for link in self.stories.take_drawn() {
            output.evidence.append(&mut self.witnesses.take(&link.events));
            output.links.push(link);
        }
    }

    /// What rules make of what the event matched, those that match it alone first.
    fn of_rules(&mut self, event: &Event) -> Vec<Finding> {
        if self.matches.is_empty() {
            return Vec::new();
        }
        self.correlated.clear();
        let view = &self.context.view(event);
        let matched = Matched { event: event.id, time: event.time, rules: &self.matches };
        self.rules.correlate(&mut self.correlations, matched, view, &mut self.correlated);
        let single = self.matches.iter().filter(|index| !self.rules.is_silent(**index));
        let single = single.filter_map(|index| finding::of_match(&self.rules, *index, event, view));
        let several = self.correlated.iter();
        let several = several.filter_map(|it| finding::of_correlated(&self.rules, it, event, view));
        single.chain(several).collect()
    }

    /// Joins what was found to stories, as far as it was not told before and may be told; true
    /// where anything was.
    fn tell(&mut self, event: &Event, found: Vec<Finding>, output: &mut Output) -> bool {
        self.stories.note_forgotten(event.time, &self.forgotten());
        let findings_before = output.findings.len();
        let is_in_parts = matches!(event.kind, EventKind::KubernetesApi(_))
            && self.rules.semantics() == Semantics::Clew;
        for finding in found {
            if is_in_parts && !self.told.is_first(finding.id) {
                continue;
            }
            if !self.tallies.admit(&finding.rule, event.time) {
                self.counts.suppressed += 1;
                continue;
            }
            self.counts.findings += 1;
            if self.profiling == Profiling::On {
                self.profiles.remember(finding.id, &self.context.view(event));
            }
            self.join(|stories, revisions| stories.join(&finding, revisions), output);
            if 1 < finding.events.len() {
                output.evidence.append(&mut self.witnesses.take(&finding.events));
            }
            if let Some(request) = &finding.subject.request {
                let given = self.context.give_request(request.exchange);
                let is_own = request.exchange == event.id;
                output.evidence.extend(given.filter(|_| !is_own).map(|it| evidence::kept(&it)));
            }
            output.findings.push(finding);
        }
        let is_told = findings_before < output.findings.len();
        if is_told {
            output.evidence.push(evidence::kept(event));
        }
        is_told
    }

    /// Totals since the engine began.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What the engine knows of the machines, for figures and tests.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The stories and what may yet become one.
    #[must_use]
    pub const fn stories(&self) -> &Stories {
        &self.stories
    }

    /// What is kept for correlation rules, with what was dropped of it.
    #[must_use]
    pub const fn correlations(&self) -> &Correlations {
        &self.correlations
    }

    /// How much was given up for want of room since the engine began, or came too late for it.
    #[must_use]
    pub fn forgotten(&self) -> [(Forgotten, u64); 7] {
        let correlations = &self.correlations;
        let passed_over = self.judge.as_ref().map_or(0, |judge| judge.passed_over);
        [
            (Forgotten::CorrelationGroup, correlations.groups_evicted()),
            (Forgotten::CorrelationMatch, correlations.matches_evicted()),
            (Forgotten::CorrelationMatchLate, correlations.late()),
            (Forgotten::Identity, self.context.identities().dropped()),
            (Forgotten::Request, self.context.requests_dropped() + passed_over),
            (Forgotten::ApiUse, self.apis.given_up()),
            (Forgotten::Habit, self.stories.counts().habits_dropped),
        ]
    }

    /// Events that correlation rules counted and that are not kept as their evidence, for want of
    /// room.
    #[must_use]
    pub const fn evidence_dropped(&self) -> u64 {
        self.witnesses.dropped()
    }

    /// Calls that are not judged again when the making of their credential is told, for want of
    /// room.
    #[must_use]
    pub const fn unclaimed_dropped(&self) -> u64 {
        self.unclaimed.dropped()
    }

    /// What was learned of how APIs are used.
    #[must_use]
    pub const fn apis(&self) -> &Apis {
        &self.apis
    }

    /// What was learned of workloads.
    #[must_use]
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The same, to waive, import and merge.
    pub const fn profiles_mut(&mut self) -> &mut Profiles {
        &mut self.profiles
    }

    /// From now on workloads are learned and judged, or not. What was learned stays.
    pub const fn set_profiling(&mut self, profiling: Profiling) {
        self.profiling = profiling;
    }

    /// From now on requests and their effects are judged, or not. What was learned stays.
    pub fn set_appsec(&mut self, appsec: Appsec) {
        self.judge = (appsec == Appsec::On).then(Judge::new);
    }

    /// Each rule that ever matched, by name, with what became of its matches.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.tallies.iter()
    }

    /// From now on a rule makes no more findings than this; `None` takes the limit away.
    pub fn set_rule_rate(&mut self, rate: Option<RuleRate>) {
        self.tallies.rate = rate;
    }

    /// Puts other rules in place; what was learned and told stays.
    pub fn set_rules(&mut self, rules: RuleSet) {
        self.context.set_semantics(rules.semantics());
        self.rules = rules;
    }
}
