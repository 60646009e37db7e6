//! Turns a tree of findings into a story: steps, ties, people-readable sentences.
//!
//! Nothing is judged here: what belongs together was decided when the findings were joined.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::finding::{CallFacts, ProcessFacts, RequestFacts};
use clew_event::story::{Edge, Impact, Root, Severity, Step};
use clew_event::text::escaped;
use clew_event::{
    BootId, EventId, Finding, FindingId, ProcessKey, Story, StoryId, Text, TimestampNs,
};

use crate::alternatives;
use crate::attack::technique;
use crate::blindness::Blindness;
use crate::cast::{cast, entities};
use crate::forest::{Forest, Node};
use crate::impact;
use crate::key::Key;
use crate::narrative::{self, Certainty};
use crate::score::Likelihood;
use crate::tie::{Shared, Tie, Via, is_about_start};
use crate::trail::Handle;
use crate::words;

/// Tactics that a title names.
const TACTICS_MAX: usize = 6;

/// What a story is told from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) forest: &'a Forest,
    /// Where it began.
    pub(crate) root: Handle,
    pub(crate) blindness: &'a Blindness,
    pub(crate) members: &'a [Handle],
    pub(crate) likelihood: Likelihood,
    pub(crate) bits_needed: f64,
    /// Findings that were only counted.
    pub(crate) untold: u64,
}

/// How many findings hang on each of a story's.
type Sizes = BTreeMap<Handle, usize>;

/// The story of a tree, still without its id and revision.
pub(crate) fn story(scene: &Scene) -> Option<Story> {
    let root = scene.forest.node(scene.root)?;
    let all = in_order(scene);
    let times = || all.iter().map(|node| node.finding.time);
    let span = (times().min()?, times().max()?);
    let findings: Vec<&Finding> = all.iter().map(|node| &node.finding).collect();
    let told = selected(&all);
    let sizes = scene.forest.sizes(scene.members);
    let origin = origin(root, scene);
    let cast = cast(&told, origin.1);
    let repeats: u64 = all.iter().map(|node| node.repeats + node.folded).sum();
    let impact = impact::impact(&findings);
    let excess = scene.likelihood.bits() - scene.bits_needed;
    let mut story = Story {
        id: StoryId::default(),
        revision: 0,
        title: title(root, origin.0.process, &findings),
        severity: impact::severity(excess, impact.level, &findings),
        likelihood_bits: scene.likelihood.bits(),
        impact,
        techniques: techniques(&findings),
        entities: entities(&findings),
        root: origin.0,
        steps: told.iter().map(|node| step(scene.forest, node, &sizes)).collect(),
        steps_untold: (all.len() - told.len()) as u64 + scene.untold + repeats,
        blind_spots: scene.blindness.tell(&boots(&findings), span),
        alternatives: alternatives::alternatives(&root.finding, &findings),
        narrative: String::new(),
        processes: cast.processes,
        parents: cast.parents,
        span,
    };
    let certainty = Certainty { likelihood: scene.likelihood, bits_needed: scene.bits_needed };
    story.narrative = narrative::narrative(&story, certainty);
    Some(story)
}

/// All findings in the order of their times, but none before its cause: logs that tell whole
/// seconds, and clocks that differ, turn the order of causes around.
fn in_order<'a>(scene: &Scene<'a>) -> Vec<&'a Node> {
    let mut times: BTreeMap<Handle, TimestampNs> = BTreeMap::new();
    let mut all: Vec<(TimestampNs, usize, &Node)> = Vec::new();
    // Parents stand before their children.
    for (place, &member) in scene.members.iter().enumerate() {
        let Some(node) = scene.forest.node(member) else { continue };
        let cause = node.parent.as_ref().and_then(|tie| times.get(&tie.to)).copied();
        let time = cause.unwrap_or_default().max(node.finding.time);
        times.insert(member, time);
        let place = if cause == Some(time) { place } else { 0 };
        all.push((time, place, node));
    }
    all.sort_by_key(|(time, place, node)| (*time, *place, node.at()));
    all.into_iter().map(|(_, _, node)| node).collect()
}

/// The last revision of a story that is no longer one of its own, and why.
pub(crate) fn closed(
    (id, revision): (StoryId, u32),
    (finding, span): (FindingId, (TimestampNs, TimestampNs)),
    why: String,
) -> Story {
    Story {
        id,
        revision,
        title: why.clone(),
        severity: Severity::Low,
        likelihood_bits: 0.0,
        impact: Impact::default(),
        techniques: Vec::new(),
        entities: Vec::new(),
        root: Root { finding, process: None, sentence: why.clone() },
        steps: Vec::new(),
        steps_untold: 0,
        blind_spots: Vec::new(),
        alternatives: Vec::new(),
        narrative: why,
        processes: Vec::new(),
        parents: Vec::new(),
        span,
    }
}

/// The findings that are told in full: all, or the root, then the first of each rule, then those
/// with the most bits.
fn selected<'a>(all: &[&'a Node]) -> Vec<&'a Node> {
    if all.len() <= Story::STEPS_MAX {
        return all.to_vec();
    }
    let mut rules = BTreeSet::new();
    let mut ranked: Vec<(bool, f64, &'a Node)> = all
        .iter()
        .map(|node| (rules.insert(&node.finding.rule), node.finding.bits, *node))
        .collect();
    ranked.sort_by(|(a_first, a_bits, a), (b_first, b_bits, b)| {
        (b_first, b_bits)
            .partial_cmp(&(a_first, a_bits))
            .unwrap_or(std::cmp::Ordering::Equal)
            .then(a.at().cmp(&b.at()))
    });
    let mut told: Vec<&'a Node> =
        ranked.into_iter().take(Story::STEPS_MAX).map(|(_, _, node)| node).collect();
    told.sort_by_key(|node| node.at());
    if let (Some(first), Some(root)) = (told.first_mut(), all.first())
        && first.at() != root.at()
    {
        *first = root;
    }
    told
}

fn techniques(findings: &[&Finding]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = findings.iter().flat_map(|finding| &finding.techniques);
    all.filter(|technique| seen.insert((*technique).clone())).cloned().collect()
}

fn boots(findings: &[&Finding]) -> BTreeSet<BootId> {
    let processes = findings.iter().filter_map(|finding| finding.subject.lineage.first());
    processes.map(|process| process.key.boot).collect()
}

fn title(root: &Node, process: Option<ProcessKey>, findings: &[&Finding]) -> String {
    let lineage = &root.finding.subject.lineage;
    let above = lineage.iter().position(|facts| Some(facts.key) == process).unwrap_or(0);
    let who = match lineage.get(above..).unwrap_or_default() {
        [] => words::headline(&root.finding),
        [process] => words::quoted(&process.name),
        [process, parent, ..] => {
            format!("{} below {}", words::quoted(&process.name), words::quoted(&parent.name))
        }
    };
    let place = words::short_place(&root.finding);
    if let (1, 1..) = (findings.len(), root.folded) {
        let rule = escaped(root.finding.rule.as_bytes());
        return format!("{} findings of `{rule}` {place}: a flood", 1 + root.folded);
    }
    let mut tactics: Vec<String> = Vec::new();
    for finding in findings {
        let of_finding: BTreeSet<_> =
            finding.techniques.iter().filter_map(|id| technique(id)).map(|t| t.tactic).collect();
        for tactic in of_finding {
            let name = tactic.name().to_lowercase();
            if tactics.len() < TACTICS_MAX && !tactics.contains(&name) {
                tactics.push(name);
            }
        }
    }
    if tactics.is_empty() {
        format!("{who} {place}: {}", words::headline(&root.finding))
    } else {
        format!("{who} {place}: {}", words::listed(&tactics))
    }
}

/// Where the story began, and the parent of the process that began it.
///
/// The process is the first finding's own, or the ancestor by which the findings of the first
/// line are tied, where that lies above: a shell whose children alone were found.
fn origin(root: &Node, scene: &Scene) -> (Root, Option<ProcessKey>) {
    let finding = &root.finding;
    let place = words::place(finding);
    let lineage = &finding.subject.lineage;
    let above = common_ancestor(root, scene);
    let process = lineage.get(above);
    let parent = lineage.get(above + 1);
    let sentence = match (process, parent) {
        (None, _) => format!("{} {place}.", words::deed(finding).trim_end_matches('.')),
        (Some(process), None) => format!("{} ran {place}.", words::command(process)),
        (Some(process), Some(parent)) if 0 < above || is_about_start(finding) => {
            format!("{} started {} {place}.", words::process(parent), words::command(process))
        }
        (Some(process), Some(parent)) => format!(
            "{}, a child of {}, ran {place}.",
            words::command(process),
            words::process(parent)
        ),
    };
    let sentence = match finding.subject.request.as_deref() {
        Some(request) if 0.5 < request.probability => asked(request, finding, &sentence, process),
        Some(_) | None => sentence,
    };
    let process = process.map(|process| process.key);
    (Root { finding: finding.id, process, sentence }, parent.map(|parent| parent.key))
}

/// How a story began that began with a request: who asked what, and of a finding about its effect
/// what came of it.
fn asked(
    request: &RequestFacts,
    finding: &Finding,
    effect: &str,
    process: Option<&ProcessFacts>,
) -> String {
    let who = match request.client.is_empty() {
        true => "A request".to_owned(),
        false => format!("A request from {}", words::quoted(&request.client)),
    };
    let asked = format!("{who} asked {} ({})", words::request(request), request.exchange);
    if finding.events.first() != Some(&request.exchange) {
        return format!("{asked}. {effect}");
    }
    let of = process.map_or_else(String::new, |process| format!(" of {}", words::process(process)));
    format!("{asked}{of} {}.", words::place(finding))
}

/// Generations from the root finding's process up to the topmost that ties its line together.
fn common_ancestor(root: &Node, scene: &Scene) -> usize {
    let ties = scene.members.iter().filter_map(|&member| {
        let tie = scene.forest.node(member)?.parent.as_ref()?;
        match tie.via {
            Via::Process { ancestor, .. } => Some(ancestor),
            _ => None,
        }
    });
    let ancestors: BTreeSet<ProcessKey> = ties.collect();
    let lineage = &root.finding.subject.lineage;
    lineage.iter().rposition(|process| ancestors.contains(&process.key)).unwrap_or(0)
}

fn step(forest: &Forest, node: &Node, sizes: &Sizes) -> Step {
    let finding = &node.finding;
    let mut more = match node.repeats {
        0 => String::new(),
        1 => " Once more in the same minute.".to_owned(),
        repeats => format!(" {repeats} times more in the same minute."),
    };
    if 0 < node.folded {
        let (count, place) = (node.folded, words::short_place(finding));
        more += &format!(" {count} more by others {place} were folded into this one.");
    }
    Step {
        time: finding.time,
        finding: finding.id,
        event: finding.events.first().copied().unwrap_or_default(),
        rule: finding.rule.clone(),
        techniques: finding.techniques.clone(),
        process: finding.subject.lineage.first().map(|process| process.key),
        sentence: format!("{}{more}", words::deed(finding)),
        edge: node.parent.as_ref().and_then(|tie| edge(forest, node, tie, sizes)),
    }
}

fn edge(forest: &Forest, node: &Node, tie: &Tie, sizes: &Sizes) -> Option<Edge> {
    let earlier = forest.node(tie.to)?;
    let starts = [&node.finding, &earlier.finding].into_iter().filter_map(|finding| {
        finding.subject.lineage.first().and_then(|process| process.executed_by)
    });
    let own = [&node.finding, &earlier.finding].into_iter().flat_map(|f| f.events.first().copied());
    let mut events: Vec<EventId> = own.collect();
    match tie.via {
        Via::Process { .. } => events.extend(starts),
        Via::Request { exchange: event, .. } | Via::Event(event) => events.push(event),
        Via::Handed | Via::Thief | Via::File { .. } | Via::Shared { .. } => {}
    }
    let mut seen = BTreeSet::new();
    events.retain(|event| seen.insert(*event));
    let sentence = match tie.via {
        Via::Process { here, there, .. } => lineage_sentence(node, earlier, here, there),
        Via::Request { millionths, .. } => request_sentence(node, millionths),
        Via::Event(event) => format!("Both are about the event {event}."),
        Via::Handed => handed_sentence(node, earlier),
        Via::Thief => thief_sentence(node),
        Via::File { touched, ran } => file_sentence(forest, touched, ran),
        Via::Shared { value, per_day } => shared_sentence(node, earlier, value, per_day),
    };
    let seconds = |node: &Node| node.finding.time.unix_ns() as f64 / 1e9;
    Some(Edge {
        from: earlier.finding.id,
        class: tie.class,
        bits: tie.bits,
        events,
        sentence,
        kind: tie.via.name().to_owned(),
        seconds: ((seconds(node) - seconds(earlier)) * 1e3).round() / 1e3,
        coincidences_per_day: match tie.via {
            Via::Shared { per_day, .. } => Some(per_day),
            _ => None,
        },
        holds: 1 + node.children.iter().filter_map(|child| sizes.get(child)).sum::<usize>(),
    })
}

fn lineage_sentence(node: &Node, earlier: &Node, here: u8, there: u8) -> String {
    let lineage = &node.finding.subject.lineage;
    let (Some(own), Some(ancestor)) = (lineage.first(), lineage.get(usize::from(here))) else {
        return String::new();
    };
    let other = earlier.finding.subject.lineage.first();
    let (own_name, ancestor_name) = (words::process(own), words::process(ancestor));
    let other_name = other.map(words::process).unwrap_or_default();
    match (here, there) {
        (0, 0) => format!("{own_name} did both."),
        (1, 0) => format!("{ancestor_name} started {own_name}."),
        (_, 0) => {
            let way = lineage.get(usize::from(here) - 1).map(words::process).unwrap_or_default();
            format!("{own_name} descends from {ancestor_name} by way of {way}.")
        }
        (0, 1) => format!("{own_name} had started {other_name}."),
        (0, _) => format!("{other_name} descends from {own_name}."),
        (1, 1) => format!("{ancestor_name} started both {other_name} and {own_name}."),
        _ => format!("{other_name} and {own_name} both descend from {ancestor_name}."),
    }
}

fn request_sentence(node: &Node, millionths: u32) -> String {
    let request = node.finding.subject.request.as_deref();
    let request = request.map(words::request).unwrap_or_default();
    match millionths {
        1_000_000 => format!("Both are of the request {request}."),
        _ => {
            let percent = f64::from(millionths) / 10_000.0;
            format!("Both are of the request {request} with a probability of {percent:.0} %.")
        }
    }
}

/// What the earlier finding's event handed out and the later one acts with.
fn handed_sentence(node: &Node, earlier: &Node) -> String {
    let used: Vec<Key> = Key::acts_with(&node.finding).collect();
    let mut made = earlier.finding.subject.makes.iter();
    let made = made.find(|made| used.contains(&Key::identity(made.kind, &made.id)));
    let name = made.map(|made| made.name.as_str()).unwrap_or_default();
    match earlier.finding.subject.lineage.first() {
        Some(process) => {
            format!("It was done with `{name}`, which {} had been handed.", words::process(process))
        }
        None => format!("It was done with `{name}`, which the earlier call made."),
    }
}

fn thief_sentence(node: &Node) -> String {
    let call = node.finding.subject.call.as_deref();
    let part = |of: fn(&CallFacts) -> &Text| call.map(of).map(words::quoted).unwrap_or_default();
    let (credential, address) = (part(|call| &call.credential), part(|call| &call.address));
    format!("Both used the credential {credential} from {address}, outside its workload.")
}

fn file_sentence(forest: &Forest, touched: Handle, ran: Handle) -> String {
    let subject = |handle| forest.node(handle).map(|node| &node.finding.subject);
    let first = |handle| subject(handle)?.lineage.first();
    let (Some(hand), Some(runner)) = (first(touched), first(ran)) else {
        return "A file that one of them handled is the program of the other.".to_owned();
    };
    let (hand, exe) = (words::process(hand), words::quoted(&runner.exe));
    let request = subject(ran).and_then(|it| it.request.as_ref()).filter(|_| !runner.is_dropped);
    if let (Some(request), Some(subject)) = (request, subject(touched)) {
        let (file, target) = (words::quoted(&subject.file), words::quoted(&request.target));
        return format!(
            "A request had {hand} write the file {file}, which {target} then asked for."
        );
    }
    format!("{hand} handled the file {exe}, which {} then ran.", words::process(runner))
}

fn shared_sentence(node: &Node, earlier: &Node, value: Shared, per_day: f64) -> String {
    let apart = node.finding.time.since(earlier.finding.time).as_secs_f64();
    let what = match value {
        Shared::Container => match words::container_name(&node.finding) {
            Some(name) => format!("Both happened in container `{name}`"),
            None => "Both are of the same workload".to_owned(),
        },
        Shared::Peer => {
            format!("Both lines spoke with {}", words::quoted(&node.finding.subject.peer))
        }
        Shared::Program => "Both lines ran the same dropped program".to_owned(),
        Shared::Credential => "Both called with the same credential".to_owned(),
        Shared::Caller => "Both came from the same address".to_owned(),
    };
    format!(
        "{what}, {apart:.1} s apart; unrelated findings of such weight meet there {per_day} times a day."
    )
}

/// Steps by the finding they tell, counted from 1.
pub(crate) fn numbers(story: &Story) -> BTreeMap<FindingId, usize> {
    story.steps.iter().enumerate().map(|(index, step)| (step.finding, index + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn a_title_names_at_most_tactics_max_tactics() {
        let all = ["T1190", "T1059", "T1505", "T1068", "T1036", "T1003", "T1082", "T1021", "T1005"];
        let mut forest = Forest::default();
        let root = forest.insert(Sample::new("a", 1).techniques(&all).finding());
        let root = forest.node(root).unwrap();
        let title = title(root, None, &[&root.finding]);
        let named = title.rsplit(": ").next().unwrap();
        assert_eq!(named.replace(" and ", ", ").split(", ").count(), TACTICS_MAX);
    }

    #[test]
    fn more_than_steps_max_findings_are_told_by_their_kinds_first() {
        let mut forest = Forest::default();
        let mut add =
            |rule: &str, n: usize| forest.insert(Sample::new(rule, n).at(n as u64).finding());
        let mut handles: Vec<_> = (0..Story::STEPS_MAX + 50).map(|n| add("noise", n)).collect();
        handles.push(add("rare", 10_000));
        let all: Vec<&Node> = handles.iter().map(|&handle| forest.node(handle).unwrap()).collect();
        let told = selected(&all);
        assert_eq!(told.len(), Story::STEPS_MAX);
        assert_eq!(told[0].at(), all[0].at());
        assert_eq!(told.last().unwrap().finding.rule, "rare");
        assert!(told.is_sorted_by_key(|node| node.at()));
    }
}
